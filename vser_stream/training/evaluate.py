"""The figures of a recipe or of a trained model on a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.svm import OnnxSvm, answer
from vser_stream.core.baseline import Prior
from vser_stream.training.augment import CONDITIONS
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip, read_manifest
from vser_stream.training.histories import CALM, Judge, Table
from vser_stream.training.metrics import Figures, Interval, Missed, reliability, risk_coverage
from vser_stream.training.progress import Progress, silent
from vser_stream.training.recipe import Recipe
from vser_stream.training.tables import spoiled_tables, table_of
from vser_stream.training.validate import (
    HISTORIES,
    Outcome,
    by_corpus,
    by_name,
    cross_validate,
    false_alarms,
    leave_one_corpus_out,
    panic_missed,
    pooled,
    thresholds,
    try_out,
)
from vser_stream.values import LABELS

__all__ = [
    "Curve",
    "Evaluation",
    "evaluate_model",
    "evaluate_recipe",
    "groups_of",
    "judge_recipe",
    "judge_unlearned",
    "text_table",
]

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
    by_group: dict[str, dict[str, _ByHistory]] = field(default_factory=dict)
    """By language, and by sex."""

    missed: dict[str, Missed] = field(default_factory=dict)
    """Panic that was not called so, by history."""

    left_out: dict[str, _ByHistory] = field(default_factory=dict)
    """Each corpus by a model that has heard only the others."""

    unheard: dict[str, _ByHistory] = field(default_factory=dict)
    """Corpora the recipe never learns from, by the final model."""

    false_alarms: dict[str, dict[str, float]] = field(default_factory=dict)
    """Share called angry or panic in corpora that are calm throughout."""

    conditions: dict[str, _ByHistory] = field(default_factory=dict)
    """The same clips through noise, rooms and codecs."""

    heard: tuple[str, ...] = ()
    """Corpora the model was trained on: their figures promise nothing for other speakers."""

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
    clean = table_of(clips, cache, progress=progress)
    spoiled = spoiled_tables(clips, cache, copies=recipe.copies, seed=seed, progress=progress)
    return judge_recipe(
        [clean, *spoiled], recipe, groups=groups_of(clips), seed=seed, processes=processes, progress=progress
    )


def groups_of(clips: Sequence[Clip]) -> dict[str, NDArray[np.str_]]:
    """What each clip is by language and by sex, where the manifest says so of any."""
    columns = {
        "language": [clip.language for clip in clips],
        "sex": [clip.gender for clip in clips],
    }
    return {
        name: np.array([value or "not stated" for value in column])
        for name, column in columns.items()
        if any(column)
    }


def judge_recipe(
    tables: Sequence[Table],
    recipe: Recipe,
    *,
    groups: Mapping[str, NDArray[np.str_]],
    seed: int,
    processes: int = 2,
    progress: Progress = silent,
) -> Evaluation:
    """As :func:`evaluate_recipe`, from features: clean, then spoiled copies of the same clips.

    Args:
        tables: Clean, then spoiled.
        recipe: How each fold's model is made.
        groups: As :func:`groups_of` gives them.
        seed: Of the folds and all draws.
        processes: Folds worked on at once.
        progress: Told of each step.
    """
    table = tables[0]
    outcomes = cross_validate(tables, recipe, seed=seed, processes=processes, progress=progress)
    left_out = {}
    if len(np.unique(table.corpora)) > 1:
        others = leave_one_corpus_out(tables, recipe, seed=seed, processes=processes, progress=progress)
        left_out = {"all": pooled(table, others), **by_corpus(table, others)}
    below = thresholds(outcomes["running"], recipe.shares)
    return Evaluation(
        subject=f"recipe, {recipe.folds}-fold cross-validation by speaker",
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        by_group=_by_group(table, outcomes, groups),
        missed=panic_missed(table, outcomes, below=below[recipe.default_share]),
        thresholds=below,
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
        conditions: Also through noise, rooms and codecs (features are computed ten times).
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
    judge = partial(answer, model.session)
    outcomes = try_out(table, judge=judge, prior=model.prior, seed=seed)
    spoiled = {}
    for how in CONDITIONS if conditions else ():
        spoil = [how] * len(clips)
        one = table_of(clips, cache, spoil=spoil, seed=seed, stage=how.name, progress=progress)
        spoiled[how.name] = pooled(one, try_out(one, judge=judge, prior=model.prior, seed=seed))
    return Evaluation(
        subject=f"{model.name} {model.version}",
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        by_group=_by_group(table, outcomes, groups_of(clips)),
        missed=panic_missed(table, outcomes, below=model.escalate_below),
        thresholds=thresholds(outcomes["running"], tuple(model.thresholds)),
        curves=_curves(table, outcomes),
        false_alarms=judge_unlearned(table, judge=judge, prior=model.prior, seed=seed)[1],
        conditions=spoiled,
        heard=tuple(
            name for name in np.unique(table.corpora).tolist() if name in model.manifest.get("corpora", {})
        ),
    )


def judge_unlearned(
    table: Table, *, judge: Judge, prior: Prior, seed: int
) -> tuple[dict[str, dict[str, Figures]], dict[str, dict[str, float]]]:
    """Figures of each corpus, and of those that are calm throughout the false alarms instead."""
    figures_of, alarms = {}, {}
    for name in np.unique(table.corpora):
        corpus = table.where(table.corpora == name)
        outcomes = try_out(corpus, judge=judge, prior=prior, seed=seed)
        if np.all(corpus.y == CALM):
            alarms[str(name)] = false_alarms(outcomes)
        else:
            figures_of[str(name)] = pooled(corpus, outcomes)
    return figures_of, alarms


def text_table(evaluation: Evaluation) -> str:
    """The figures as lines of text, widest first."""
    lines = [evaluation.subject, "", _row("", ["macro-F1", "calm", "angry", "panic", "ECE", "AURC", "clips"])]
    sections = {
        "": {"all": evaluation.pooled, **evaluation.by_corpus},
        **{f"by {group}": section for group, section in evaluation.by_group.items()},
        "corpus left out": evaluation.left_out,
        "never learned from": evaluation.unheard,
        "condition": evaluation.conditions,
    }
    for title, section in sections.items():
        lines += ["", title] if title and section else []
        for name, histories in section.items():
            lines += [_row(f"{name}, {history}", _cells(one)) for history, one in histories.items()]
    lines += ["", *(_missed(history, one) for history, one in evaluation.missed.items())]
    for corpus, shares in evaluation.false_alarms.items():
        told = ", ".join(f"{history} {share:.1%}" for history, share in shares.items())
        lines += ["", f"calm {corpus} called angry or panic: {told}"]
    if evaluation.heard:
        told = ", ".join(evaluation.heard)
        lines += ["", f"trained on {told}: figures of these and of all clips promise nothing for others"]
    told = ", ".join(f"{share} % below {value:.3f}" for share, value in evaluation.thresholds.items())
    return "\n".join([*lines, "", f"escalate: {told}"])


def _missed(history: str, one: Missed) -> str:
    return (
        f"panic missed, {history}: {_percent(one.share)}, called calm {_percent(one.as_calm)}; "
        f"of those missed escalated (below {one.below:.3f}): {_percent(one.escalated)}"
    )


def _percent(share: Interval) -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"


def _by_group(
    table: Table, outcomes: dict[str, Outcome], groups: Mapping[str, NDArray[np.str_]]
) -> dict[str, dict[str, _ByHistory]]:
    return {group: by_name(table, outcomes, names=names) for group, names in groups.items()}


def _cells(one: Figures) -> list[str]:
    recall = [f"{one.recall[label].value:.3f}" if label in one.recall else "-" for label in LABELS]
    return [str(one.macro_f1), *recall, f"{one.ece.value:.3f}", f"{one.aurc.value:.3f}", str(one.clips)]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<28}{cells[0]:<22}" + "".join(f"{cell:>8}" for cell in cells[1:])


def _curves(table: Table, outcomes: dict[str, Outcome]) -> dict[str, Curve]:
    return {name: _curve(table, outcomes[name]) for name in HISTORIES if len(outcomes[name].clips)}


def _curve(table: Table, outcome: Outcome) -> Curve:
    y = table.y[outcome.clips]
    confidence, right, clips = reliability(y, outcome.probabilities)
    coverage, risk = risk_coverage(y, outcome.probabilities)
    kept = np.unique(np.linspace(0, len(y) - 1, _POINTS).astype(np.int64))
    return Curve(
        confidence=confidence.tolist(),
        right=right.tolist(),
        clips=clips.tolist(),
        coverage=coverage[kept].tolist(),
        risk=risk[kept].tolist(),
    )
