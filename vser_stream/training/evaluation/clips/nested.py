"""Figures of a recipe that was chosen without the speakers it is judged on.

The shipped recipe was chosen by the same cross-validation its figures come from. Here each fold chooses
for itself, among variants of the recipe, by cross-validation of its own speakers: what is lost against
the recipe's own figures is what that choice had flattered them by.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.training.classifier.fit import Split, fit, side_folds
from vser_stream.training.classifier.material import Material
from vser_stream.training.evaluation.clips.cross_validation import Outcome, cross_validate, merged, try_out
from vser_stream.training.evaluation.metrics import figures
from vser_stream.training.progress import tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

__all__ = ["Choice", "nested", "variants"]

_INNER_FOLDS = 2

_SHARPNESS: Final = (1.0, 1.15, 1.3, 1.45)
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Choice:
    """What one fold of speakers chose."""

    variant: str
    sharpness: float
    """Factor of the logits."""


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """What a fold chooses among, beside the sharpness of the probabilities."""
    return {
        "as shipped": recipe,
        "c x 3": replace(recipe, c=3 * recipe.c),
        "c / 3": replace(recipe, c=recipe.c / 3),
        "gamma / 2": replace(recipe, gamma=recipe.gamma / 2),
        "half of the landmarks": replace(recipe, landmarks=recipe.landmarks // 2),
        "half of the homes": replace(recipe, homes=recipe.homes / 2),
        "answers evened out": replace(recipe, told=tuple(share**0.5 for share in recipe.told)),
    }


def nested(material: Material, run: Run) -> tuple[dict[str, Outcome], list[Choice]]:
    """Judge every clip by a model, and a recipe, that have not heard its speaker; and what each fold chose.

    Args:
        material: To learn from and to be judged.
        run: Its recipe is what is varied (see :func:`variants`).
    """
    # The machines alone: what is chosen is theirs.
    material = material.without_looks
    folds = side_folds(material, run.recipe.folds, seed=run.seed)
    jobs = (joblib.delayed(_fold)(material, fold, run.recipe, run.seed) for fold in folds)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    parts = list(tracked(done, "nested", total=len(folds), progress=run.progress))
    return merged([part for part, _ in parts]), [choice for _, choice in parts]


def _fold(material: Material, fold: Split, recipe: Recipe, seed: int) -> tuple[dict[str, Outcome], Choice]:
    known, unheard = fold
    choice = _chosen(material.where(known), recipe, seed)
    best = replace(variants(recipe)[choice.variant], sharpness=choice.sharpness)
    fitted = fit(material.where(known), best, seed=seed)
    parts = try_out(material.clean.where(unheard), judge=fitted.judge, prior=fitted.prior, seed=seed)
    return {name: Outcome(unheard[it.clips], it.probabilities) for name, it in parts.items()}, choice


def _chosen(material: Material, recipe: Recipe, seed: int) -> Choice:
    """The variant with the best mean macro-F1 over the histories; then the sharpness by log loss."""
    table, found = material.clean, {}
    for name, variant in variants(recipe).items():
        inner = replace(variant, folds=_INNER_FOLDS, sharpness=1.0)
        found[name] = cross_validate(material, Run(inner, seed=seed, processes=1))
    best = max(found, key=lambda name: _macro_f1(found[name], table.y, table.speakers))
    told = [it for it in found[best].values() if len(it.clips)]
    losses = [sum(_loss(it, table.y, power) for it in told) for power in _SHARPNESS]
    return Choice(best, _SHARPNESS[int(np.argmin(losses))])


def _macro_f1(outcomes: dict[str, Outcome], y: NDArray[np.int64], speakers: NDArray[np.str_]) -> float:
    told = [it for it in outcomes.values() if len(it.clips)]
    each = [figures(y[it.clips], it.probabilities, speakers=speakers[it.clips], draws=1) for it in told]
    return float(np.mean([one.macro_f1.value for one in each]))


def _loss(outcome: Outcome, y: NDArray[np.int64], power: float) -> float:
    sharp = outcome.probabilities**power
    sharp /= sharp.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(np.maximum(sharp[np.arange(len(sharp)), y[outcome.clips]], _TINY))))
