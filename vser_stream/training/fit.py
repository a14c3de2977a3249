"""The classifier: scaler, one-against-rest SVMs with a radial kernel, sigmoids.

The calibrator sits on a one-against-rest wrapper, because the three-class margins of SVC itself
are vote counts, whose sigmoids ruin the ranking; the scaler sits outside, because the other
nesting is exported with swapped columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from vser_stream.core.baseline import MODEL_INPUT, Prior
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import DataError
from vser_stream.training.histories import Rows, Table, cold, listened, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import LABELS

__all__ = ["Fitted", "Split", "fit", "label_weights", "speaker_folds"]

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the clips to learn from and of those to be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier and the population it measures from."""

    pipeline: Pipeline
    prior: Prior
    sharpness: float
    """As in the recipe."""

    def judge(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities of model inputs, shape (n, 3)."""
        sharpened = np.asarray(self.pipeline.predict_proba(rows), np.float64) ** self.sharpness
        return np.asarray(sharpened / sharpened.sum(axis=1, keepdims=True))


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


def fit(tables: Sequence[Table], recipe: Recipe, *, seed: int) -> Fitted:
    """Learn every clean clip and a share of the spoiled ones, cold or after some listening.

    Args:
        tables: The same clips in the same order: clean, then spoiled copies.
        recipe: How.
        seed: Of every draw.
    """
    rng = np.random.default_rng(seed)
    prior = population(tables[0])
    rows, clips = [], []
    for number, table in enumerate(tables):
        share = recipe.share if number else 1.0
        drawn = rng.permutation(len(table))[: round(share * len(table))]
        known = listened(table, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
        knowing = rng.random((len(drawn), 1)) >= recipe.cold
        rows.append(np.where(knowing, known[drawn], cold(table, prior)[drawn]))
        clips.append(drawn)
    X = np.concatenate(rows)
    machine = _machine(X, np.concatenate(clips), tables[0], recipe=recipe, seed=seed)
    return Fitted(machine, prior, recipe.sharpness)


def _machine(X: Rows, clips: NDArray[np.int64], table: Table, *, recipe: Recipe, seed: int) -> Pipeline:
    """Fit rows of features, each with the clip of ``table`` it is of."""
    scaler = StandardScaler().fit(X)
    weights = np.array([recipe.raw_weight if name in FEATURES else 1.0 for name in MODEL_INPUT])
    # Scaled wider, a feature counts less in the kernel.
    scaler.scale_ /= weights
    # All rows of a speaker are in one fold, or the sigmoids would see margins of known voices.
    folds = speaker_folds(table, recipe.calibration_folds, seed=seed)
    splits = [tuple(np.flatnonzero(np.isin(clips, side)) for side in fold) for fold in folds]
    with config_context(enable_metadata_routing=True):
        svc = SVC(
            C=recipe.c,
            gamma=recipe.gamma / np.sum(weights**2),
            # Labels weigh the same, so a label against the two others is one to two.
            class_weight={0: 0.75, 1: 1.5},
            cache_size=600,
        )
        machine = CalibratedClassifierCV(
            OneVsRestClassifier(svc.set_fit_request(sample_weight=True)),
            method="sigmoid",
            cv=splits,
            ensemble=False,
        )
        machine.fit(
            scaler.transform(X), table.y[clips], sample_weight=label_weights(table, recipe.balance)[clips]
        )
    return Pipeline([("scale", scaler), ("svm", machine)])


def label_weights(table: Table, balance: float) -> NDArray[np.float64]:
    """Every label counts the same; its corpora as ``balance`` says. The mean is one."""
    weights = np.zeros(len(table))
    for label in np.unique(table.y):
        of_label = table.y == label
        for corpus in np.unique(table.corpora[of_label]):
            cell = of_label & (table.corpora == corpus)
            weights[cell] = cell.sum() ** -balance
        weights[of_label] /= weights[of_label].sum()
    return np.asarray(weights / weights.mean(), np.float64)
