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
                f"{speakers} speakers have {label} clips, {folds} are needed; record more speakers"
            )
    names = np.char.add(np.char.add(table.corpora, "|"), table.y.astype(str))
    _, kinds = np.unique(names, return_inverse=True)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(table)), kinds, table.speakers))


def fit(tables: Sequence[Table], recipe: Recipe, *, seed: int) -> Fitted:
    """Learn every clip cold and after some listening, and a share of the spoiled ones.

    Args:
        tables: The same clips in the same order: clean, then spoiled copies.
        recipe: How.
        seed: Of every draw.
    """
    clean, rng = tables[0], np.random.default_rng(seed)
    prior, everything = population(clean), np.arange(len(clean))
    rows, clips = list(_histories(clean, prior, recipe, rng)), [everything, everything]
    for spoiled in tables[1:]:
        drawn = rng.permutation(len(spoiled))[: round(recipe.share * len(spoiled))]
        knowing = rng.random((len(drawn), 1)) < 0.5  # noqa: PLR2004 - a coin
        without, with_history = _histories(spoiled, prior, recipe, rng)
        rows.append(np.where(knowing, with_history[drawn], without[drawn]))
        clips.append(drawn)
    machine = _machine(np.concatenate(rows), np.concatenate(clips), clean, recipe=recipe, seed=seed)
    return Fitted(machine, prior)


def _histories(table: Table, prior: Prior, recipe: Recipe, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Every clip cold, and after some listening."""
    known = listened(table, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
    return cold(table, prior), known


def _machine(X: Rows, clips: NDArray[np.int64], table: Table, *, recipe: Recipe, seed: int) -> Pipeline:
    """Fit rows of features, each with the clip of ``table`` it is of."""
    scaler = StandardScaler().fit(X)
    # All rows of a speaker are in one fold, or the sigmoids would see margins of known voices.
    folds = speaker_folds(table, recipe.calibration_folds, seed=seed)
    splits = [tuple(np.flatnonzero(np.isin(clips, side)) for side in fold) for fold in folds]
    with config_context(enable_metadata_routing=True):
        svc = SVC(
            C=recipe.c,
            gamma=recipe.gamma / X.shape[1],
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
