"""The figures of a recipe or of a trained model on a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.svm import OnnxSvm, answer
from vser_stream.training.augment import CLEAN, CONDITIONS, Augmentation, draw
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip, read_manifest
from vser_stream.training.histories import Judge, Table
from vser_stream.training.metrics import Figures, reliability, risk_coverage
from vser_stream.training.progress import Progress, silent
from vser_stream.training.recipe import Recipe
from vser_stream.training.validate import (
    HISTORIES,
    Outcome,
    by_corpus,
    cross_validate,
    false_alarms,
    leave_one_corpus_out,
    pooled,
    thresholds,
    try_out,
)
from vser_stream.values import LABELS

__all__ = ["Curve", "Evaluation", "evaluate_model", "evaluate_recipe", "spoiled_tables", "table_of"]

_POINTS = 100
"""Points kept of a risk-coverage curve."""

_ByHistory = dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Curve:
    """What the plots of one history need."""

    confidence: list[float]
    """Mean confidence of each bin that has clips."""

    right: list[float]
    """Share of right decisions in it."""

    clips: list[int]
    coverage: list[float]
    risk: list[float]
    """Share of wrong decisions among the most confident."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured; every dictionary is by history, or by something and then history."""

    subject: str
    pooled: _ByHistory
    by_corpus: dict[str, _ByHistory]
    thresholds: dict[int, float]
    """Confidence under which each share of the running decisions lies (percent)."""

    curves: dict[str, Curve]
    left_out: dict[str, _ByHistory] = field(default_factory=dict)
    """Each corpus by a model that has heard only the others."""

    unheard: dict[str, _ByHistory] = field(default_factory=dict)
    """Corpora the recipe never learns from, by the final model."""

    false_alarms: dict[str, dict[str, float]] = field(default_factory=dict)
    """Share called angry or panic in corpora that are calm throughout."""

    conditions: dict[str, _ByHistory] = field(default_factory=dict)
    """The same clips through noise, rooms and codecs."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def evaluate_recipe(
    data: Path,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    cache: FeatureCache | None = None,
    processes: int = 2,
    progress: Progress = silent,
) -> Evaluation:
    """Cross-validate a recipe by speaker, and by leaving out each corpus.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
    """
    recipe, cache = recipe or Recipe(), cache or FeatureCache(processes=processes)
    clips = read_manifest(data, exclude=(*recipe.exclude, *recipe.calm_only))
    tables = [
        table_of(clips, cache, progress=progress),
        *spoiled_tables(clips, recipe, cache, seed=seed, progress=progress),
    ]
    return judge_recipe(tables, recipe, seed=seed, processes=processes, progress=progress)


def judge_recipe(
    tables: Sequence[Table], recipe: Recipe, *, seed: int, processes: int, progress: Progress
) -> Evaluation:
    """As :func:`evaluate_recipe`, from features."""
    table = tables[0]
    outcomes = cross_validate(tables, recipe, seed=seed, processes=processes, progress=progress)
    left_out = {}
    if len(np.unique(table.corpora)) > 1:
        others = leave_one_corpus_out(tables, recipe, seed=seed, processes=processes, progress=progress)
        left_out = {**by_corpus(table, others), "all": pooled(table, others)}
    return Evaluation(
        subject=f"recipe, {recipe.folds}-fold cross-validation by speaker",
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        thresholds=thresholds(outcomes["running"], recipe.shares),
        curves=_curves(table, outcomes),
        left_out=left_out,
    )


def evaluate_model(
    data: Path,
    *,
    model: OnnxSvm,
    conditions: bool = False,
    seed: int = 0,
    cache: FeatureCache | None = None,
    processes: int = 2,
    progress: Progress = silent,
) -> Evaluation:
    """Try a trained model on a manifest; only speakers it was not trained on say anything.

    Args:
        data: The manifest, or the folder that holds it.
        model: A loaded model.
        conditions: Also through noise, rooms and codecs (computes features ten times).
        seed: Of the order of the clips, the enrolments and the noise.
        cache: Of features.
        processes: For features that are not cached.
        progress: Told of each step.

    Raises:
        DataError: The manifest is incomplete.
        AudioError: A recording cannot be read.
    """
    cache = cache or FeatureCache(processes=processes)
    clips = read_manifest(data)
    table = table_of(clips, cache, progress=progress)
    judge = judge_of(model)
    outcomes = try_out(table, judge=judge, prior=model.prior, seed=seed)
    spoiled = {
        how.name: pooled(
            one := table_of(
                clips, cache, spoil=[how] * len(clips), seed=seed, stage=how.name, progress=progress
            ),
            try_out(one, judge=judge, prior=model.prior, seed=seed),
        )
        for how in (CONDITIONS if conditions else ())
    }
    return Evaluation(
        subject=f"{model.name} {model.version}",
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        thresholds=thresholds(outcomes["running"], tuple(model.thresholds)),
        curves=_curves(table, outcomes),
        false_alarms=calm_corpora(table, judge, model, seed=seed),
        conditions=spoiled,
    )
