"""A second opinion on the same rows: boosted trees and small networks, which err elsewhere than the SVM.

Told only what the SVM says, no reasoner has anything to add to it; what it adds comes from a second opinion:
on a box that of the second look, in the cases a reasoner is trained on, which have no sound, this one.

Over five speaker-grouped folds the mean of both kinds is better on what the SVM finds ambiguous than
either kind, than extremely random trees, and than a logistic regression (figures in the model card).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn
from torch.nn import functional

from vser_stream.training.classifier.fit import label_weights
from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.mixup import Size, fit_network
from vser_stream.training.data.histories import Rows, cold, listened, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import LABELS

__all__ = ["Second", "fit_second"]

_Floats = NDArray[np.float64]

_FARTHEST = 5.0
"""Standard deviations beyond which an input counts no further in a network."""

_NETWORKS = 3
_SIZE: Final = Size(width=128, epochs=14, batch=128)
_HISTORIES = 2
"""Draws of what the agent heard before, beside the cold row of each clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """Trees and networks that were fitted; their probabilities are averaged."""

    trees: HistGradientBoostingClassifier
    networks: tuple[nn.Sequential, ...]
    mean: Rows
    """Of each input, shape (n_inputs,)."""

    spread: Rows
    """Standard deviation of each input, shape (n_inputs,)."""

    def judge(self, rows: Rows) -> _Floats:
        """Probabilities of model inputs, shape (n, 3)."""
        with torch.no_grad():
            X = torch.from_numpy(_scaled(rows, self.mean, self.spread))
            told = [functional.softmax(one(X), dim=1).numpy() for one in self.networks]
        return np.asarray((np.mean(told, axis=0) + self.trees.predict_proba(rows)) / 2.0, np.float64)


def fit_second(material: Material, recipe: Recipe, *, seed: int) -> Second:
    """Learn every clip, clean and spoiled, cold and after some listening.

    Args:
        material: What the SVM learns from too.
        recipe: Of the histories and the weights of corpora; the same as the SVM's.
        seed: Of every draw.
    """
    prior, rng = population(material.clean), np.random.default_rng(seed)
    rows, clips = [], []
    for table in (material.clean, *material.spoiled):
        known = [
            listened(table, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
            for _ in range(_HISTORIES)
        ]
        rows += [cold(table, prior), *known]
        clips += [np.arange(len(table))] * (1 + _HISTORIES)
    X, clip = np.concatenate(rows), np.concatenate(clips)
    y, weights = material.clean.y[clip], label_weights(material.clean, recipe.balance)[clip]
    trees = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.06,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    ).fit(X, y, sample_weight=weights)
    mean, spread = X.mean(axis=0), X.std(axis=0) + np.float32(1e-6)
    scaled = _scaled(X, mean, spread)
    counts = weights.astype(np.float32)
    networks = tuple(
        fit_network(scaled, y, counts, answers=len(LABELS), size=_SIZE, seed=seed + number)
        for number in range(_NETWORKS)
    )
    return Second(trees, networks, mean, spread)


def _scaled(rows: Rows, mean: Rows, spread: Rows) -> Rows:
    return np.asarray(np.clip((rows - mean) / spread, -_FARTHEST, _FARTHEST), np.float32)
