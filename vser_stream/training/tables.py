"""From a manifest to tables of features, clean and spoiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vser_stream.training.augment import Augmentation, draw
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip
from vser_stream.training.histories import Table
from vser_stream.training.progress import Progress, silent
from vser_stream.values import LABELS

__all__ = ["spoiled_tables", "table_of"]


def table_of(
    clips: Sequence[Clip],
    cache: FeatureCache,
    *,
    spoil: Sequence[Augmentation] = (),
    seed: int = 0,
    stage: str = "features",
    progress: Progress = silent,
) -> Table:
    """Return the features of all clips, each spoiled in its own way if told so.

    Raises:
        AudioError: A recording cannot be read.
    """
    return Table(
        features=cache.rows(clips, spoil, seed=seed, stage=stage, progress=progress),
        y=np.array([LABELS.index(clip.label) for clip in clips], np.int64),
        speakers=np.array([clip.speaker for clip in clips], np.str_),
        corpora=np.array([clip.corpus for clip in clips], np.str_),
    )


def spoiled_tables(
    clips: Sequence[Clip], cache: FeatureCache, *, copies: int, seed: int, progress: Progress = silent
) -> list[Table]:
    """Return ``copies`` further tables; in each, a speaker is always in the same room and line."""
    speakers = sorted({clip.speaker for clip in clips})
    tables = []
    for copy in range(copies):
        name = f"copy {copy + 1}"
        rng = np.random.default_rng([seed, copy])
        rooms = {speaker: draw(name, rng) for speaker in speakers}
        spoil = [rooms[clip.speaker] for clip in clips]
        tables.append(table_of(clips, cache, spoil=spoil, seed=seed, stage=name, progress=progress))
    return tables
