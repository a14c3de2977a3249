"""How good a set of probability triples is, with intervals over speakers.

A speaker's clips are not independent, so the bootstrap draws speakers. Every figure is a
function of sums over clips, so one draw is a row of weights and all draws are one product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vser_stream.values import LABELS, Label

__all__ = [
    "Figures",
    "Interval",
    "Missed",
    "confusion",
    "figures",
    "gain",
    "missed",
    "reliability",
    "risk_coverage",
    "share",
]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

BINS = 15
"""Bins of equal width for the calibration error."""

_CLASSES = len(LABELS)
_CALM, _PANIC = LABELS.index(Label.CALM), LABELS.index(Label.PANIC)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % bootstrap interval over speakers."""

    value: float
    """In the unit of what is measured; dimensionless for shares and scores."""

    low: float
    """Likewise (dimensionless, or that unit)."""

    high: float
    """Likewise (dimensionless, or that unit)."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set of decisions is worth."""

    clips: int
    speakers: int
    macro_f1: Interval
    """Over the labels that occur."""

    recall: dict[str, Interval]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns decisions, both in the order of ``LABELS``."""

    ece: Interval
    """Expected calibration error of the top probability."""

    brier: Interval
    """Squared error of the triple, from 0 to 2."""

    aurc: Interval
    """Area under the risk-coverage curve: mean error over all coverages."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Panic that was not called so."""

    share: Interval
    """Of all panic."""

    as_calm: Interval
    """Called calm, of all panic."""

    escalated: Interval
    """Too unsure to stand, of what was missed."""

    below: float
    """Confidence under which a decision is that unsure (probability)."""


def figures(
    y: _Ints, probabilities: _Floats, *, speakers: NDArray[np.str_], draws: int = 1000, seed: int = 0
) -> Figures:
    """Judge the decisions for ``n`` clips.

    Args:
        y: True labels as indices into ``LABELS``, shape (n,).
        probabilities: Shape (n, 3).
        speakers: Who speaks, shape (n,).
        draws: Bootstrap draws of speakers.
        seed: Of the draws.
    """
    weights = _weights(speakers, draws=draws, seed=seed)
    matrices = _confusions(y, probabilities.argmax(axis=1), weights)
    present = np.bincount(y, minlength=_CLASSES) > 0
    recall = _ratio(np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(axis=2))
    return Figures(
        clips=len(y),
        speakers=len(np.unique(speakers)),
        macro_f1=_interval(_f1(matrices)[:, present].mean(axis=1)),
        recall={label.value: _interval(recall[:, i]) for i, label in enumerate(LABELS) if present[i]},
        confusion=tuple(tuple(int(count) for count in row) for row in matrices[0]),
        ece=_interval(_calibration_error(y, probabilities, weights)),
        brier=_interval(_mean(np.sum((probabilities - np.eye(_CLASSES)[y]) ** 2, axis=1), weights)),
        aurc=_interval(_area(y, probabilities, weights)),
    )


def gain(
    y: _Ints,
    probabilities: _Floats,
    *,
    over: _Floats,
    speakers: NDArray[np.str_],
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Macro-F1 of decisions less that of others (``over``) about the same clips and draws."""
    weights = _weights(speakers, draws=draws, seed=seed)
    present = np.bincount(y, minlength=_CLASSES) > 0
    one, other = (
        _f1(_confusions(y, given.argmax(axis=1), weights))[:, present].mean(axis=1)
        for given in (probabilities, over)
    )
    return _interval(one - other)


def share(
    hits: NDArray[np.bool_], *, speakers: NDArray[np.str_], draws: int = 1000, seed: int = 0
) -> Interval:
    """How many of ``n`` hit, as a share; speakers of shape (n,)."""
    weights = _weights(speakers, draws=draws, seed=seed)
    return _interval(_mean(hits.astype(np.float64), weights))


def missed(
    y: _Ints,
    probabilities: _Floats,
    *,
    below: float,
    speakers: NDArray[np.str_],
    draws: int = 1000,
    seed: int = 0,
) -> Missed | None:
    """What share of panic is missed, and what becomes of it; None without any panic."""
    panic, decided = y == _PANIC, probabilities.argmax(axis=1)
    if not panic.any():
        return None
    weights = _weights(speakers, draws=draws, seed=seed)
    lost = panic & (decided != _PANIC)
    unsure = lost & (probabilities.max(axis=1) < below)
    among = weights @ panic
    return Missed(
        share=_interval(_ratio(weights @ lost, among)),
        as_calm=_interval(_ratio(weights @ (lost & (decided == _CALM)), among)),
        escalated=_interval(_ratio(weights @ unsure, weights @ lost)),
        below=below,
    )


def confusion(y: _Ints, decided: _Ints) -> _Ints:
    """Counts of true label (row) against decision (column), shape (3, 3)."""
    return np.asarray(_confusions(y, decided, np.ones((1, len(y))))[0], np.int64)


def risk_coverage(y: _Ints, probabilities: _Floats) -> tuple[_Floats, _Floats]:
    """Coverage and the error among the most confident, each of shape (n,)."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != y)[order]
    covered = np.arange(1, len(y) + 1, dtype=np.float64)
    return covered / len(y), np.cumsum(wrong) / covered


def reliability(y: _Ints, probabilities: _Floats) -> tuple[_Floats, _Floats, _Ints]:
    """Mean confidence, share right and count of each bin that has clips."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    bins = _bins(confidence)
    count = np.bincount(bins, minlength=BINS)
    used = count > 0
    mean = np.bincount(bins, confidence, BINS)[used] / count[used]
    share = np.bincount(bins, right, BINS)[used] / count[used]
    return mean, share, count[used]


def _weights(speakers: NDArray[np.str_], *, draws: int, seed: int) -> _Floats:
    """How often each clip counts: once, then as its speaker was drawn, shape (1 + draws, n)."""
    names, who = np.unique(speakers, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return np.asarray(np.vstack([np.ones(len(names)), drawn])[:, who])


def _confusions(y: _Ints, decided: _Ints, weights: _Floats) -> _Floats:
    cells = np.eye(_CLASSES**2)[y * _CLASSES + decided]
    return np.asarray(weights @ cells, np.float64).reshape(-1, _CLASSES, _CLASSES)


def _f1(matrices: _Floats) -> _Floats:
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return _ratio(2 * hits, matrices.sum(axis=1) + matrices.sum(axis=2))


def _calibration_error(y: _Ints, probabilities: _Floats, weights: _Floats) -> _Floats:
    confidence = probabilities.max(axis=1)
    gap = confidence - (probabilities.argmax(axis=1) == y)
    in_bin = np.eye(BINS)[_bins(confidence)]
    return _ratio(np.abs(weights @ (in_bin * gap[:, np.newaxis])).sum(axis=1), weights.sum(axis=1))


def _area(y: _Ints, probabilities: _Floats, weights: _Floats) -> _Floats:
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != y)[order]
    weights = weights[:, order]
    risk = _ratio(np.cumsum(weights * wrong, axis=1), np.cumsum(weights, axis=1))
    return _ratio((risk * weights).sum(axis=1), weights.sum(axis=1))


def _bins(confidence: _Floats) -> _Ints:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def _mean(values: _Floats, weights: _Floats) -> _Floats:
    return _ratio(weights @ values, weights.sum(axis=1))


def _ratio(top: _Floats, bottom: _Floats) -> _Floats:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=bottom > 0)


def _interval(values: _Floats) -> Interval:
    """First the figure itself, then its draws."""
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return Interval(float(values[0]), float(low), float(high))
