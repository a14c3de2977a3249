"""Both judges of a model: the machines, and the second look that hears the sound itself.

How far each is trusted is chosen on what neither has learned from: each side by those of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import MODEL_INPUT, Prior
from vser_stream.core.scoring.second_look import LEAST, Fusion
from vser_stream.training.classifier.fit import Fitted, fit_learned, outside, rows_of, shift_of
from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.second_look_fit import fit_head
from vser_stream.training.classifier.second_look_graph import Encoder, SecondLookMade, fit_fusion, with_head
from vser_stream.training.classifier.second_look_head import Head
from vser_stream.training.data.histories import Judge, Rows, Table, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import ANSWERS

__all__ = ["Judges", "learn"]

_COLUMNS = [FEATURES.index(name) for name in MODEL_INPUT if name in FEATURES]
"""With which a model input begins."""

_Beliefs = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """What was learned."""

    fitted: Fitted
    head: Head | None
    """None where there was no encoder."""

    fusion: Fusion | None
    unless_calm: float
    """As in the recipe (probability)."""

    @property
    def prior(self) -> Prior:
        """The population that is measured from."""
        return self.fitted.prior

    def second_look(self, encoder: Encoder | None) -> SecondLookMade | None:
        """Return what a model folder gets, where there is one."""
        if encoder is None or self.head is None or self.fusion is None:
            return None
        graph = with_head(encoder.graph, self.head, inputs=len(MODEL_INPUT))
        return SecondLookMade(graph, self.fusion, self.unless_calm)

    def both(self, table: Table, embeddings: Rows) -> Judge:
        """Return what judges model inputs of a table with the second look, too.

        Args:
            table: Whose clips are judged.
            embeddings: Statistics of the encoder of each of them, shape (n_clips, 768).
        """
        # A model input begins with the features of its clip, and so names it.
        place = {row[_COLUMNS].tobytes(): index for index, row in enumerate(table.features)}

        def judge(rows: Rows) -> _Beliefs:
            clips = [place[row[: len(_COLUMNS)].tobytes()] for row in rows]
            return outside(self.answers(rows, embeddings[clips]))

        return judge

    def answers(self, rows: Rows, embeddings: Rows) -> _Beliefs:
        """Belief in each answer, shape (n, 5)."""
        first = self.fitted.answers(rows)
        if self.head is None or self.fusion is None:
            return first
        look = self.head.judge(rows, embeddings)
        logs = self.fusion.first * np.log(np.maximum(first, LEAST))
        logs += self.fusion.look * np.log(np.maximum(look, LEAST)) + np.asarray(self.fusion.bias)
        raised = np.exp(logs - logs.max(axis=1, keepdims=True))
        surely_calm = outside(first)[:, :1] >= self.unless_calm
        return np.asarray(np.where(surely_calm, first, raised / raised.sum(axis=1, keepdims=True)))


def learn(material: Material, recipe: Recipe, *, seed: int) -> Judges:
    """Fit the machines and, where there are statistics of an encoder, the second look.

    Raises:
        DataError: A label has too few speakers, or an answer no clip.
    """
    prior = population(material.clean)
    rows = rows_of(material, prior, recipe, seed=seed)
    fitted, first = fit_learned(rows, prior, recipe, seed=seed)
    if not rows.embeddings.shape[1]:
        return Judges(fitted, None, None, recipe.unless_calm)
    look = np.zeros((len(rows), len(ANSWERS)))
    for side in np.unique(rows.sides):
        judged = rows.sides == side
        some = fit_head(rows.where(~judged), seed=seed, networks=1)
        look[judged] = some.judge(rows.inputs[judged], rows.embeddings[judged])
    fusion = fit_fusion(first, look, rows.y, weights=rows.weights)
    # Chosen where answers weigh as in a home; told is as if they weighed what the machines learned.
    bias = np.asarray(fusion.bias) + shift_of(recipe)
    told = replace(fusion, bias=tuple(float(one) for one in bias))
    return Judges(fitted, fit_head(rows, seed=seed), told, recipe.unless_calm)
