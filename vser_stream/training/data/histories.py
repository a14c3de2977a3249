"""What an agent would know of a speaker when it hears a clip: simulated calm baselines.

The same clip is judged by an agent that has just been switched on (cold), by one that was
given calm speech of the speaker (enrolled), and by one that has listened for a while and learned
from what it took for calm itself (running). A model must be trained on, and tried with, all three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.scoring.baseline import (
    MODEL_INPUT,
    Baseline,
    Prior,
    is_calm_enough,
    model_input,
    model_inputs,
)
from vser_stream.core.scoring.loudness import LOUDNESS, Loudness
from vser_stream.errors import DataError
from vser_stream.values import LABELS, Label, Probabilities

__all__ = [
    "Judge", "Table", "cold", "judged", "listened", "loudness_of", "population", "running", "speaker_rows",
]  # fmt: skip

Rows = NDArray[np.float32]

Judge = Callable[[Rows], NDArray[np.float64]]
"""From model inputs, shape (n, n_inputs), to probabilities, shape (n, 3)."""

CALM = LABELS.index(Label.CALM)

_WEIGHTS = (0.02, 20.0)
"""Limits of the weight of the prior: a feature in which calm people do not differ, or do nothing else."""

_TINY = 1e-9
"""Variance of a feature that never changes."""

_FEWEST = 2
"""Calm clips of a speaker from which a spread can be told, and such speakers."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The clips of a corpus as columns; every array has the length n_clips."""

    features: Rows
    """Shape (n_clips, n_features)."""

    y: NDArray[np.int64]
    """Indices into ``LABELS``, shape (n_clips,)."""

    speakers: NDArray[np.str_]
    """Shape (n_clips,)."""

    corpora: NDArray[np.str_]
    """Shape (n_clips,)."""

    def __len__(self) -> int:
        return len(self.y)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Table:
        """The clips of a mask or of an index."""
        return Table(self.features[kept], self.y[kept], self.speakers[kept], self.corpora[kept])


def population(table: Table) -> Prior:
    """Estimate calm speech in the population.

    A speaker counts as one over the root of the speakers in the corpus: neither a large corpus
    nor a small one decides what calm is.

    Raises:
        DataError: Fewer than two speakers have two calm clips.
    """
    calm = table.where(table.y == CALM)
    theirs = [rows for rows in speaker_rows(calm.speakers) if len(rows) >= _FEWEST]
    if len(theirs) < _FEWEST:
        raise DataError(f"{len(theirs)} speakers have two calm clips; record calm speech of two at least")
    corpora = np.array([calm.corpora[rows[0]] for rows in theirs])
    weights = np.array([np.sum(corpora == corpus) ** -0.5 for corpus in corpora])
    voices = [calm.features[rows].astype(np.float64) for rows in theirs]
    means = np.array([voice.mean(axis=0) for voice in voices])
    location = np.average(means, axis=0, weights=weights)
    within = np.average([voice.var(axis=0, ddof=1) for voice in voices], axis=0, weights=weights)
    # A mean of few clips also varies by chance.
    chance = within * np.average([1 / len(voice) for voice in voices], weights=weights)
    between = np.average((means - location) ** 2, axis=0, weights=weights) - chance
    return Prior(
        location=location.astype(np.float32),
        scale=np.sqrt(np.maximum(within, _TINY)).astype(np.float32),
        weight=np.clip(within / np.maximum(between, _TINY), *_WEIGHTS).astype(np.float32),
    )


def speaker_rows(speakers: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """Indices of each speaker's clips, speakers in sorted order."""
    return [np.flatnonzero(speakers == name) for name in np.unique(speakers)]


def cold(table: Table, prior: Prior) -> Rows:
    """Model inputs when nothing is known of the speaker."""
    start = Baseline.from_prior(prior)
    rows = [model_input(row, start) for row in table.features]
    return np.array(rows, np.float32).reshape(len(table), len(MODEL_INPUT))


def listened(table: Table, prior: Prior, *, longest: int, slips: float, rng: np.random.Generator) -> Rows:
    """Model inputs after some other clips of the same speaker, drawn for each clip.

    From none to ``longest`` clips have moved the baseline. They are calm but for a share of
    ``slips``, which an agent has taken for calm by mistake.
    """
    inputs = cold(table, prior)
    start = Baseline.from_prior(prior)
    for rows in speaker_rows(table.speakers):
        calm, other = rows[table.y[rows] == CALM], rows[table.y[rows] != CALM]
        for row in rows:
            past = rng.permutation(calm[calm != row])[: rng.integers(longest + 1)]
            mistaken = rng.permutation(other[other != row])[: rng.binomial(len(past), slips)]
            past[: len(mistaken)] = mistaken
            heard = table.features[rng.permutation(past)]
            inputs[row] = model_input(table.features[row], _after(start, heard))
    return inputs


def loudness_of(table: Table, rooms: NDArray[np.str_], *, whole: NDArray[np.bool_]) -> Rows:
    """Return the columns of loudness of rows that follow each other in their room, shape (n_rows, 3).

    Args:
        table: The rows.
        rooms: Of each.
        whole: It is an utterance, and remembered.
    """
    found = np.zeros((len(table), len(LOUDNESS)), np.float32)
    for rows in speaker_rows(rooms):
        loudness = Loudness()
        for row in rows:
            found[row] = loudness.columns(table.features[row])
            loudness = loudness.after(table.features[row]) if whole[row] else loudness
    return found


def running(
    table: Table, prior: Prior, *, judge: Judge, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.float64]]:
    """Let an agent listen to each speaker's clips in random order, learning by its own decisions.

    All speakers take their next step together, so that ``judge`` is asked for many rows at once.

    Returns:
        Model inputs and the probabilities that were given, one row for each clip.
    """
    turns = [rng.permutation(rows) for rows in speaker_rows(table.speakers)]
    baselines = [Baseline.from_prior(prior) for _ in turns]
    inputs = cold(table, prior)
    probabilities = np.zeros((len(table), len(LABELS)))
    for step in range(max(map(len, turns), default=0)):
        listening = [(agent, turn[step]) for agent, turn in enumerate(turns) if step < len(turn)]
        now = np.array([row for _, row in listening])
        inputs[now] = [model_input(table.features[row], baselines[agent]) for agent, row in listening]
        probabilities[now] = judged(table.features[now], [baselines[agent] for agent, _ in listening], judge)
        for agent, row in listening:
            if is_calm_enough(Probabilities.folded(probabilities[row])):
                baselines[agent] = baselines[agent].updated(table.features[row])
    return inputs, probabilities


def judged(vectors: Rows, baselines: Sequence[Baseline], judge: Judge) -> NDArray[np.float64]:
    """Decide as the live agent does: the mean over each baseline and its anchor, shape (n, 3)."""
    groups = [model_inputs(vector, it) for vector, it in zip(vectors, baselines, strict=True)]
    probabilities = judge(np.array([row for group in groups for row in group]))
    starts = np.cumsum([0, *map(len, groups)])[:-1]
    sizes = np.array([[len(group)] for group in groups])
    return np.asarray(np.add.reduceat(probabilities, starts, axis=0) / sizes)


def _after(start: Baseline, vectors: Rows) -> Baseline:
    baseline = start
    for vector in vectors:
        baseline = baseline.updated(vector)
    return baseline
