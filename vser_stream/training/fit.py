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

from vser_stream.core.baseline import Prior
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

    def judge(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities of model inputs, shape (n, 3)."""
        return np.asarray(self.pipeline.predict_proba(rows), np.float64)


def speaker_folds(table: Table, folds: int, *, seed: int) -> list[Split]:
    """Split by speaker, with like shares of each corpus and label.

    Raises:
        DataError: There are fewer speakers than folds, or a label has too few.
    """
    for index, label in enumerate(LABELS):
        speakers = len(np.unique(table.speakers[table.y == index]))
        if speakers < folds:
            raise DataError(
                f"{speakers} speakers have clips labelled {label}; {folds} are needed, record more"
            )
    names = np.char.add(np.char.add(table.corpora, "|"), table.y.astype(str))
    _, kinds = np.unique(names, return_inverse=True)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(table)), kinds, table.speakers))


def fit(tables: Sequence[Table], recipe: Recipe, *, seed: int) -> Fitted:
    """Learn every clip cold and after some listening.

    Args:
        tables: The same clips in the same order: clean, then spoiled copies.
        recipe: How.
        seed: Of every draw.
    """
    rng = np.random.default_rng(seed)
    prior = population(tables[0])
    rows = []
    for table in tables:
        known = listened(table, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
        rows += [cold(table, prior), known]
    return Fitted(_machine(np.concatenate(rows), tables[0], recipe, seed=seed), prior)


def _machine(X: Rows, table: Table, recipe: Recipe, *, seed: int) -> Pipeline:
    """Fit rows that repeat the clips of ``table`` over and over."""
    clip = np.arange(len(X)) % len(table)
    scaler = StandardScaler().fit(X)
    # All rows of a speaker are in one fold, or the sigmoids would see margins of known voices.
    folds = speaker_folds(table, recipe.calibration_folds, seed=seed)
    splits = [tuple(np.flatnonzero(np.isin(clip, side)) for side in fold) for fold in folds]
    with config_context(enable_metadata_routing=True):
        svc = SVC(C=recipe.c, gamma=recipe.gamma / X.shape[1], cache_size=600)
        machine = CalibratedClassifierCV(
            OneVsRestClassifier(svc.set_fit_request(sample_weight=True)),
            method="sigmoid",
            cv=splits,
            ensemble=False,
        )
        machine.fit(
            scaler.transform(X), table.y[clip], sample_weight=label_weights(table, recipe.balance)[clip]
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
