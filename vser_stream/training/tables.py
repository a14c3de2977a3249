"""From a manifest to all a recipe learns from: clips, clean and spoiled, and heard in homes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vser_stream.training.augment import Augmentation, draw
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip
from vser_stream.training.histories import Table
from vser_stream.training.progress import Progress, silent
from vser_stream.training.recipe import Recipe
from vser_stream.training.rehearsal import Rehearsal, rehearsed
from vser_stream.values import LABELS

__all__ = ["Material", "material_of", "table_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What there is to learn from, of some speakers."""

    clean: Table
    spoiled: tuple[Table, ...] = ()
    """The same clips in the same order."""

    rehearsal: Rehearsal | None = None

    def mapped(self, change: Callable[[Table], Table]) -> Material:
        """The same with every table changed."""
        heard = self.rehearsal and replace(self.rehearsal, table=change(self.rehearsal.table))
        return Material(change(self.clean), tuple(map(change, self.spoiled)), heard)

    def where(self, clips: NDArray[np.int64]) -> Material:
        """Some clips, and all that is heard of their speakers in homes."""
        clean = self.clean.where(clips)
        return Material(
            clean,
            tuple(table.where(clips) for table in self.spoiled),
            self.rehearsal and self.rehearsal.of(clean.speakers),
        )


def material_of(
    clips: Sequence[Clip],
    cache: FeatureCache,
    recipe: Recipe,
    *,
    seed: int,
    processes: int = 2,
    progress: Progress = silent,
) -> Material:
    """Compute all a recipe learns from: of speech each clip, and all clips and sounds as heard in homes.

    Raises:
        AudioError: A recording cannot be read.
    """
    spoken = [clip for clip in clips if clip.spoken]
    clean = table_of(spoken, cache, progress=progress)
    spoiled = _spoiled(spoken, cache, copies=recipe.copies, seed=seed, progress=progress)
    if not recipe.takes:
        return Material(clean, spoiled)
    heard = rehearsed(clips, cache, takes=recipe.takes, seed=seed, processes=processes, progress=progress)
    return Material(clean, spoiled, heard)


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


def _spoiled(
    clips: Sequence[Clip], cache: FeatureCache, *, copies: int, seed: int, progress: Progress
) -> tuple[Table, ...]:
    """Return ``copies`` further tables; in each, a speaker is always in the same room and line."""
    speakers = sorted({clip.speaker for clip in clips})
    tables = []
    for copy in range(copies):
        name = f"copy {copy + 1}"
        rng = np.random.default_rng([seed, copy])
        rooms = {speaker: draw(name, rng) for speaker in speakers}
        spoil = [rooms[clip.speaker] for clip in clips]
        tables.append(table_of(clips, cache, spoil=spoil, seed=seed, stage=name, progress=progress))
    return tuple(tables)
