"""From a manifest to all a recipe learns from: clips, clean and spoiled, and heard in homes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from vser_stream.training.data.augment import Augmentation, draw
from vser_stream.training.data.corpus import Clip, sides_of
from vser_stream.training.data.feature_cache import FeatureCache, Measure
from vser_stream.training.data.histories import Rows, Table
from vser_stream.training.progress import Progress, silent
from vser_stream.training.run import Run
from vser_stream.training.simulation.in_home_clips import SIDES, Rehearsal, rehearsed
from vser_stream.values import ANSWERS, LABELS

__all__ = ["Material", "material_of", "table_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What there is to learn from, of some speakers."""

    clean: Table
    spoiled: tuple[Table, ...] = ()
    """The same clips in the same order."""

    rehearsal: Rehearsal | None = None

    lively: Rehearsal | None = None
    """Clips that are none of the three, and screams, heard alone."""

    sides: NDArray[np.int64] | None = None
    """Of each clean clip, shape (n_clips,): nobody and nothing on one side is on another."""

    embeddings: tuple[Rows, ...] = ()
    """Statistics of the encoder for the clean clips and for each copy, each of shape (n_clips, 768)."""

    def embedded(self, copy: int) -> Rows:
        """Of the clean clips (0) or a copy, shape (n_clips, 768), or (n_clips, 0) without an encoder."""
        return self.embeddings[copy] if self.embeddings else np.zeros((len(self.clean), 0), np.float32)

    @property
    def without_looks(self) -> Material:
        """The same without statistics of an encoder."""
        return replace(self, embeddings=())

    def mapped(self, change: Callable[[Table], Table]) -> Material:
        """The same with every table changed."""
        heard, lively = (it and replace(it, table=change(it.table)) for it in (self.rehearsal, self.lively))
        return replace(
            self,
            clean=change(self.clean),
            spoiled=tuple(map(change, self.spoiled)),
            rehearsal=heard,
            lively=lively,
        )

    def where(self, clips: NDArray[np.int64]) -> Material:
        """Some clips, all that is heard in homes of their speakers, and no other clip of other speakers."""
        clean, sides = self.clean.where(clips), None if self.sides is None else self.sides[clips]
        gone = np.setdiff1d(self.clean.speakers, clean.speakers)
        lively = self.lively
        if lively is not None and self.sides is not None and sides is not None:
            lost = np.setdiff1d(self.sides, sides)
            lively = lively.where(~np.isin(lively.table.speakers, gone) & ~np.isin(lively.sides, lost))
        return Material(
            clean,
            tuple(table.where(clips) for table in self.spoiled),
            self.rehearsal and self.rehearsal.of(clean.speakers),
            lively,
            sides,
            tuple(rows[clips] for rows in self.embeddings),
        )


def material_of(clips: Sequence[Clip], run: Run, *, encoder: Measure | None = None) -> Material:
    """Compute all a recipe learns from: each clip alone, and all clips and sounds as heard in homes.

    Args:
        clips: All there is to hear.
        run: Its recipe tells how often what is heard.
        encoder: Also measures each row; None for features alone.

    Raises:
        AudioError: A recording cannot be read.
    """
    recipe, cache, dealt = run.recipe, run.cache, sides_of(clips, SIDES)
    spoken, others = [clip for clip in clips if clip.spoken], [clip for clip in clips if clip.alone]
    clean = table_of(spoken, cache, progress=run.progress)
    how = _How(seed=run.seed, progress=run.progress)
    spoiled, spoilt = [], []
    for copy in range(recipe.copies):
        spoilt.append(_rooms(spoken, f"copy {copy + 1}", [run.seed, copy]))
        spoiled.append(table_of(spoken, cache, spoil=spoilt[-1], stage=f"copy {copy + 1}", **how))
    embeddings: list[Rows] = []
    if encoder is not None:
        embeddings = [
            cache.rows(spoken, spoil, by=encoder, stage="second looks", **how) for spoil in ((), *spoilt)
        ]
    homes = None
    if recipe.takes:
        homes = rehearsed(clips, run, by=encoder)
    sides = np.array([dealt[clip.person] for clip in spoken], np.int64)
    return Material(
        clean,
        tuple(spoiled),
        homes,
        _alone(others, dealt, cache, encoder, how) if others else None,
        sides if len(np.unique(sides)) > 1 else None,
        tuple(embeddings),
    )


_SNR_DB = 40.0
"""Of a recording without a room (dB); nobody looks at it."""


class _How(TypedDict):
    seed: int
    progress: Progress


def _alone(
    clips: Sequence[Clip],
    dealt: Mapping[str, int],
    cache: FeatureCache,
    encoder: Measure | None,
    how: _How,
) -> Rehearsal:
    """Clips that are none of the three labels, each as a room of its own."""
    n = len(clips)
    table = table_of(clips, cache, stage="lively", progress=how["progress"])
    looks = np.zeros((n, 0), np.float32)
    if encoder is not None:
        looks = cache.rows(clips, by=encoder, stage="second looks", **how)
    return Rehearsal(
        table,
        answers=np.array([ANSWERS.index(clip.answer) for clip in clips], np.int64),
        whats=np.array([clip.role.value for clip in clips], np.str_),
        own=np.ones(n, np.bool_),
        kinds=np.full(n, "utterance"),
        rooms=np.array([clip.name for clip in clips], np.str_),
        sides=np.array([dealt[clip.person] for clip in clips], np.int64),
        spans=np.zeros((n, 2), np.int64),
        snr_db=np.full(n, _SNR_DB, np.float32),
        looks=looks,
    )


def _rooms(clips: Sequence[Clip], name: str, seed: Sequence[int]) -> list[Augmentation]:
    """A speaker is always in the same room and line."""
    rng = np.random.default_rng(seed)
    rooms = {speaker: draw(name, rng) for speaker in sorted({clip.speaker for clip in clips})}
    return [rooms[clip.speaker] for clip in clips]


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
