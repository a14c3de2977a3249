"""The classifier: a support vector machine for each answer, on a radial kernel, and what calibrates them.

Homes give tens of thousands of rows, and a kernel of each with each would fill the memory. So the kernel is
that of Nystroem (Williams and Seeger, 2001): rows are compared with some of them, the landmarks, alone. The
machines are fitted in the primal (Chapelle, 2007, "Training a support vector machine in the primal"), with
the squared hinge; they take seconds, and what they cost in the daemon does not grow with what was learned.

What calibrates is a multinomial logistic regression on the margins of rows that the machines have not
learned from: the margins of a side by the machines of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedGroupKFold

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import MODEL_INPUT, Prior
from vser_stream.core.scoring.loudness import LOUDNESS
from vser_stream.errors import DataError
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import Rows, Table, cold, listened, loudness_of, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import ANSWERS, LABELS, SegmentKind

__all__ = [
    "FARTHEST",
    "Fitted",
    "Learned",
    "Split",
    "fit",
    "fit_learned",
    "importance_of",
    "label_weights",
    "outside",
    "rows_of",
    "shift_of",
    "side_folds",
    "speaker_folds",
]

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the clips to learn from and of those to be judged."""

_Floats = NDArray[np.float64]

_LEAST_EIGENVALUE = 1e-2
"""Of the kernel of the landmarks: directions with less are noise, which single precision would blow up."""

FARTHEST = 8.0
"""Standard deviations beyond which an input counts no further."""

_STEPS, _CALIBRATION_STEPS = 70, 200
"""Of the optimiser: margins of unheard people are no better after more (measured)."""

_CHUNK = 4000
"""Rows compared at once."""

_TIGHT = 1.0
"""Penalty of the squared weights of the calibration, in rows: with few people they would be learned by heart,
and with the thousands of rows of homes nothing is changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Machines that were fitted, and the population they measure from."""

    prior: Prior
    mean: _Floats
    """Of each input, shape (n_inputs,)."""

    scale: _Floats
    """By which each input is divided, shape (n_inputs,)."""

    landmarks: NDArray[np.float32]
    """Scaled rows, shape (n_landmarks, n_inputs)."""

    gamma: float
    """Of the radial kernel, on scaled inputs (dimensionless)."""

    dual: NDArray[np.float32]
    """From the kernel to the margins of the answers, shape (n_landmarks, 5)."""

    offset: NDArray[np.float32]
    """Added to them, shape (5,)."""

    calibration: _Floats
    """From margins, and one, to logits, shape (6, 5)."""

    sharpness: float = 1.0
    """Factor of the logits, as in the recipe."""

    def margins(self, rows: Rows) -> _Floats:
        """How far each row is on the side of each answer, shape (n, 5)."""
        scaled = _clipped((rows - self.mean) / self.scale)
        parts = [
            _kernel(scaled[at : at + _CHUNK], self.landmarks, self.gamma) @ self.dual
            for at in range(0, len(rows), _CHUNK)
        ]
        return np.asarray(np.concatenate([np.empty((0, len(ANSWERS))), *parts]) + self.offset, np.float64)

    def answers(self, rows: Rows) -> _Floats:
        """Belief in each answer, shape (n, 5)."""
        return _softmax(self.margins(rows), self.sharpness * self.calibration)

    def judge(self, rows: Rows) -> _Floats:
        """Probabilities of model inputs, shape (n, 3)."""
        return outside(self.answers(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Model inputs to learn from; every array has the length n_rows."""

    inputs: Rows
    """Shape (n_rows, n_inputs)."""

    embeddings: Rows
    """Statistics of the encoder, shape (n_rows, 768), or (n_rows, 0) without one."""

    y: NDArray[np.int64]
    """Indices into ``ANSWERS``, shape (n_rows,)."""

    weights: _Floats
    """How much each row counts, shape (n_rows,)."""

    sides: NDArray[np.int64]
    """What is on one is never on another, shape (n_rows,)."""

    def __len__(self) -> int:
        return len(self.y)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Learned:
        """The rows of a mask or of an index."""
        return Learned(*(getattr(self, name)[kept] for name in _COLUMNS))


def outside(answers: _Floats) -> _Floats:
    """Fold beliefs in the five answers, shape (n, 5), into those in the labels, shape (n, 3)."""
    calm, angry, panic, other, scream = answers.T
    return np.stack([calm + other, angry, panic + scream], axis=1)


def speaker_folds(table: Table, folds: int, *, seed: int) -> list[Split]:
    """Split by speaker, with like shares of each corpus and label.

    Raises:
        DataError: There are fewer speakers than folds, or a label has too few.
    """
    for index, label in enumerate(LABELS):
        speakers = len(np.unique(table.speakers[table.y == index]))
        if speakers < folds:
            raise DataError(
                f"{speakers} speakers have {label} clips, {folds} are needed; record more speakers"
            )
    names = np.char.add(np.char.add(table.corpora, "|"), table.y.astype(str))
    _, kinds = np.unique(names, return_inverse=True)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(table)), kinds, table.speakers))


def side_folds(material: Material, folds: int, *, seed: int) -> list[Split]:
    """Each side against the others, some joined where there are more than ``folds``.

    Where nobody was dealt to any, as :func:`speaker_folds`.

    Raises:
        DataError: As there.
    """
    if material.sides is None:
        return speaker_folds(material.clean, folds, seed=seed)
    _, turns = np.unique(material.sides, return_inverse=True)
    joined = turns % folds
    return [(np.flatnonzero(joined != one), np.flatnonzero(joined == one)) for one in np.unique(joined)]


def fit(material: Material, recipe: Recipe, *, seed: int) -> Fitted:
    """Learn every clean clip, a share of the spoiled ones and all that was heard in homes.

    Raises:
        DataError: A label has too few speakers.
    """
    prior = population(material.clean)
    learned = rows_of(material, prior, recipe, seed=seed)
    return fit_learned(learned, prior, recipe, seed=seed)[0]


def fit_learned(learned: Learned, prior: Prior, recipe: Recipe, *, seed: int) -> tuple[Fitted, _Floats]:
    """Fit, and calibrate on what each side is to the machines of the others.

    Returns:
        The machines, and calibrated beliefs in each row by machines that have not heard it, shape (n, 5).
    """
    learned = replace(learned, weights=learned.weights * np.exp(shift_of(recipe))[learned.y])
    unheard = np.zeros((len(learned), len(ANSWERS)))
    for side in np.unique(learned.sides):
        judged = learned.sides == side
        some = _machines(learned.where(~judged), prior, recipe, seed=seed)
        unheard[judged] = some.margins(learned.inputs[judged])
    calibration = _logistic(unheard, learned.y, learned.weights)
    machines = _machines(learned, prior, recipe, seed=seed)
    return replace(machines, calibration=calibration), _softmax(unheard, calibration)


def shift_of(recipe: Recipe) -> _Floats:
    """From logits of answers that weigh as they are given in a home to such as they are told, shape (5,)."""
    return np.asarray(np.log(np.array(recipe.told) / np.array(recipe.answers)), np.float64)


def rows_of(material: Material, prior: Prior, recipe: Recipe, *, seed: int) -> Learned:
    """Return model inputs of all there is, cold or after some listening, and what each weighs.

    Raises:
        DataError: A label has too few speakers.
    """
    for index, label in enumerate(LABELS):
        if not np.any(material.clean.y == index):
            raise DataError(f"0 speakers have {label} clips, 2 are needed; record more speakers")
    rng = np.random.default_rng(seed)
    sides = _sides(material, recipe, seed=seed)
    looks = bool(material.embeddings)
    alone: list[Learned] = []
    corpora: list[NDArray[np.str_]] = []
    for index, table in enumerate((material.clean, *material.spoiled)):
        share = recipe.share if index else 1.0
        drawn = rng.permutation(len(table))[: round(share * len(table))]
        inputs = _known(table, table.speakers, prior, recipe, rng)
        alone.append(_learned(inputs, material.embedded(index), table.y, sides).where(drawn))
        corpora.append(table.corpora[drawn])
    if material.lively is not None:
        others = material.lively
        told = replace(others.table, y=others.answers)
        inputs = _known(told, told.speakers, prior, recipe, rng)
        alone.append(_learned(inputs, others.looks[:, : None if looks else 0], others.answers, others.sides))
        corpora.append(others.table.corpora)
    clips = _joined([_weighted(_joined(alone), np.concatenate(corpora), recipe)])
    if material.rehearsal is None:
        return clips
    homes = material.rehearsal
    voices = np.array([room.rpartition(" ")[0] for room in homes.rooms])
    inputs = _known(replace(homes.table, y=homes.answers), voices, prior, recipe, rng)
    known = rng.random(len(inputs)) >= recipe.unknown_loudness
    loudness = loudness_of(homes.table, homes.rooms, whole=homes.kinds == SegmentKind.UTTERANCE)
    inputs[known, -len(LOUDNESS) :] = loudness[known]
    dealt = homes.sides if sides is material.sides else _of_speakers(material.clean, sides, homes.table)
    heard = _learned(inputs, homes.looks[:, : None if looks else 0], homes.answers, dealt)
    rows = _joined([clips, _weighted(heard, homes.table.corpora, recipe, total=recipe.homes)])
    return replace(rows, weights=rows.weights / rows.weights.mean())


def label_weights(table: Table, balance: float) -> _Floats:
    """Every label counts the same; its corpora as ``balance`` says. The mean is one."""
    weights = _even(table.y, table.corpora, balance)
    return np.asarray(weights / weights.mean(), np.float64)


def _sides(material: Material, recipe: Recipe, *, seed: int) -> NDArray[np.int64]:
    """Of each clean clip; where there are none, or one has all of a label, folds over speakers instead."""
    given, y = material.sides, material.clean.y
    if given is not None and all(
        len(np.unique(y[given != side])) == len(np.unique(y)) for side in np.unique(given)
    ):
        return given
    sides = np.zeros(len(material.clean), np.int64)
    for side, (_, judged) in enumerate(speaker_folds(material.clean, recipe.calibration_folds, seed=seed)):
        sides[judged] = side
    return sides


def _of_speakers(clean: Table, sides: NDArray[np.int64], heard: Table) -> NDArray[np.int64]:
    """The side of who speaks in each row."""
    side = dict(zip(clean.speakers.tolist(), sides.tolist(), strict=True))
    return np.array([side[speaker] for speaker in heard.speakers], np.int64)


def _known(
    table: Table, voices: NDArray[np.str_], prior: Prior, recipe: Recipe, rng: np.random.Generator
) -> Rows:
    """Model inputs, cold or after some listening to one of ``voices``, shape (n_clips,)."""
    of_voice = replace(table, speakers=voices)
    heard = listened(of_voice, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
    knowing = rng.random((len(table), 1)) >= recipe.cold
    return np.asarray(np.where(knowing, heard, cold(table, prior)), np.float32)


def _learned(inputs: Rows, embeddings: Rows, y: NDArray[np.int64], sides: NDArray[np.int64]) -> Learned:
    return Learned(inputs, embeddings, y, np.ones(len(y)), sides)


def _joined(parts: Sequence[Learned]) -> Learned:
    return Learned(*(np.concatenate([getattr(one, name) for one in parts]) for name in _COLUMNS))


_COLUMNS = ("inputs", "embeddings", "y", "weights", "sides")


def _weighted(rows: Learned, corpora: NDArray[np.str_], recipe: Recipe, *, total: float = 1.0) -> Learned:
    """Answers weigh as often as they are given in a home, their corpora as the recipe balances them."""
    weights = _even(rows.y, corpora, recipe.balance) * np.array(recipe.answers)[rows.y]
    return replace(rows, weights=np.asarray(total * weights / weights.sum(), np.float64))


def _even(y: NDArray[np.int64], corpora: NDArray[np.str_], balance: float) -> _Floats:
    """The rows of every label sum to one, its corpora as ``balance`` says."""
    weights = np.zeros(len(y))
    for label in np.unique(y):
        of_label = y == label
        for corpus in np.unique(corpora[of_label]):
            cell = of_label & (corpora == corpus)
            weights[cell] = cell.sum() ** -balance
        weights[of_label] /= weights[of_label].sum()
    return weights


def _machines(rows: Learned, prior: Prior, recipe: Recipe, *, seed: int) -> Fitted:
    """Fit a machine for each answer; nothing is calibrated yet."""
    rng = np.random.default_rng(seed)
    weights = rows.weights / rows.weights.mean()
    importance = importance_of(recipe)
    mean = np.asarray(np.average(rows.inputs, axis=0, weights=weights), np.float64)
    # Scaled wider, an input counts less in the kernel.
    scale = np.asarray((rows.inputs.std(axis=0, dtype=np.float64) + 1e-6) / importance, np.float64)
    gamma = recipe.gamma / float(np.sum(importance**2))
    chosen = rng.choice(len(rows), min(recipe.landmarks, len(rows)), replace=False, p=weights / weights.sum())
    landmarks = _clipped((rows.inputs[chosen] - mean) / scale)
    values, vectors = np.linalg.eigh(_kernel(landmarks, landmarks, gamma).astype(np.float64))
    kept = values > _LEAST_EIGENVALUE
    whitening = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    mapped = np.concatenate(
        [
            _kernel(_clipped((rows.inputs[at : at + _CHUNK] - mean) / scale), landmarks, gamma) @ whitening
            for at in range(0, len(rows), _CHUNK)
        ]
    )
    planes = _planes(np.column_stack([mapped, np.ones(len(rows), np.float32)]), rows.y, weights, c=recipe.c)
    return Fitted(
        prior,
        mean,
        scale,
        landmarks,
        gamma,
        dual=np.asarray(whitening @ planes[:-1], np.float32),
        offset=planes[-1],
        calibration=np.concatenate([np.eye(len(ANSWERS)), np.zeros((1, len(ANSWERS)))]),
        sharpness=recipe.sharpness,
    )


def importance_of(recipe: Recipe) -> _Floats:
    """How much each model input counts in the kernel, shape (n_inputs,)."""
    return np.array([_importance(name, recipe) for name in MODEL_INPUT])


def _importance(name: str, recipe: Recipe) -> float:
    if name in LOUDNESS:
        return recipe.loudness_weight
    return recipe.raw_weight if name in FEATURES else 1.0


def _planes(mapped: Rows, y: NDArray[np.int64], weights: _Floats, *, c: float) -> NDArray[np.float32]:
    """Squared hinge of each answer against all others, shape (n_mapped, 5); the last row is the offset."""
    targets = np.where(y[:, np.newaxis] == np.arange(len(ANSWERS)), 1.0, -1.0).astype(np.float32)
    # One answer is against four others.
    costs = (c * weights[:, np.newaxis] * np.where(targets > 0.0, 2.0, 1.0)).astype(np.float32)

    def loss(at: _Floats) -> tuple[float, _Floats]:
        planes = at.reshape(-1, len(ANSWERS)).astype(np.float32)
        short = np.maximum(0.0, 1.0 - targets * (mapped @ planes))
        slope = mapped.T @ (-2.0 * costs * targets * short)
        slope[:-1] += planes[:-1]
        value = 0.5 * float(np.sum(planes[:-1] ** 2)) + float(np.sum(costs * short**2))
        return value, slope.ravel().astype(np.float64)

    start = np.zeros(mapped.shape[1] * len(ANSWERS))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return np.asarray(found.reshape(-1, len(ANSWERS)), np.float32)


def _logistic(margins: _Floats, y: NDArray[np.int64], weights: _Floats) -> _Floats:
    """A multinomial logistic regression, shape (6, 5); the last row is the offset."""
    share = weights / weights.mean()
    given = np.eye(len(ANSWERS))[y]

    def loss(at: _Floats) -> tuple[float, _Floats]:
        planes = at.reshape(-1, len(ANSWERS))
        believed = _softmax(margins, planes)
        value = -float(share @ np.log(np.maximum(believed[np.arange(len(y)), y], 1e-12)))
        rest = (believed - given) * share[:, np.newaxis]
        slope = np.concatenate([margins.T @ rest + _TIGHT * planes[:-1], rest.sum(axis=0)[np.newaxis]])
        return value + 0.5 * _TIGHT * float(np.sum(planes[:-1] ** 2)), slope.ravel()

    start = np.concatenate([np.eye(len(ANSWERS)), np.zeros((1, len(ANSWERS)))]).ravel()
    steps = {"maxiter": _CALIBRATION_STEPS}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=steps).x
    return np.asarray(found.reshape(-1, len(ANSWERS)), np.float64)


def _softmax(margins: _Floats, planes: _Floats) -> _Floats:
    logits = margins @ planes[:-1] + planes[-1]
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _clipped(scaled: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(np.clip(scaled, -FARTHEST, FARTHEST), np.float32)


def _kernel(one: NDArray[np.float32], other: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    """Radial kernel of each row of one with each of the other, shape (n_one, n_other)."""
    apart = np.sum(one**2, axis=1)[:, np.newaxis] + np.sum(other**2, axis=1) - 2.0 * one @ other.T
    return np.asarray(np.exp(-gamma * np.maximum(apart, 0.0)), np.float32)
