"""The figures of a recipe or of a trained model on a manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.models.onnx_svm import OnnxSvm, answer
from vser_stream.core.scoring.baseline import Prior
from vser_stream.errors import DataError
from vser_stream.training.classifier.fit import outside, side_folds
from vser_stream.training.classifier.material import Material, material_of, table_of
from vser_stream.training.classifier.second_look_graph import Encoder
from vser_stream.training.data.augment import CONDITIONS
from vser_stream.training.data.corpus import Clip, Data, read_corpora, read_manifest
from vser_stream.training.data.histories import CALM, Judge, Rows, Table
from vser_stream.training.evaluation.clips.cross_validation import (
    BOTH,
    HISTORIES,
    LIVELY,
    Outcome,
    by_corpus,
    by_name,
    false_alarms,
    leave_one_corpus_out,
    panic_missed,
    pooled,
    thresholds,
    through,
    try_out,
    within_corpora,
)
from vser_stream.training.evaluation.clips.nested import Choice, nested
from vser_stream.training.evaluation.clips.results import ByHistory, Called, Curve, Evaluation
from vser_stream.training.evaluation.metrics import Figures, reliability, risk_coverage
from vser_stream.training.run import Run
from vser_stream.training.simulation.in_home_clips import Rehearsal
from vser_stream.values import ANSWERS, LABELS, Label

__all__ = [
    "conditions_of",
    "evaluate_model",
    "evaluate_recipe",
    "groups_of",
    "judge_recipe",
    "judge_unlearned",
    "panic_found",
]

_PANIC = LABELS.index(Label.PANIC)
_POINTS = 100
"""Points kept of a curve."""

_CLEAN = ""
_EVERY = 5
"""Of so many clips one is tried under all conditions."""


def evaluate_recipe(
    data: Data,
    run: Run,
    *,
    encoder: Encoder | None = None,
    conditions: bool = False,
    choice_nested: bool = False,
) -> Evaluation:
    """Cross-validate a recipe by speaker and by corpus.

    Args:
        data: The manifest, or the folder that holds it.
        run: The recipe, and how it is tried.
        encoder: Of a second look that is trained, too; None for the machines alone.
        conditions: Also every fifth clip through noise, rooms and codecs.
        choice_nested: Also with the recipe chosen anew in each fold, which takes longer than all else.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
    """
    clips = read_corpora(data, exclude=run.recipe.exclude)
    spoken = [clip for clip in clips if clip.spoken]
    return judge_recipe(
        material_of(clips, run, encoder=encoder),
        run,
        groups=groups_of(spoken),
        conditions=conditions_of(spoken, run) if conditions else {},
        choice_nested=choice_nested,
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
    material: Material,
    run: Run,
    *,
    groups: Mapping[str, NDArray[np.str_]],
    conditions: Mapping[str, Table],
    choice_nested: bool = True,
    left_out: bool = True,
) -> Evaluation:
    """As :func:`evaluate_recipe`, from features.

    Args:
        material: To learn from, and whose clean clips are judged.
        run: How each fold's model is made.
        groups: As :func:`groups_of` gives them.
        conditions: The same speakers through noise, rooms and codecs.
        choice_nested: As there.
        left_out: Also judge each corpus by a model that has heard only the others.
    """
    table, recipe = material.clean, run.recipe
    judged = through(material, run, {_CLEAN: table, **conditions})
    alone, lively = judged.pop(_CLEAN), judged.pop(LIVELY, {})
    outcomes = judged.pop(BOTH, alone)
    by_others: dict[str, ByHistory] = {}
    within: dict[str, ByHistory] = {}
    if left_out and len(np.unique(table.corpora)) > 1:
        others, own = leave_one_corpus_out(material, run), within_corpora(material, run)
        by_others = {"all": pooled(table, others), **by_corpus(table, others)}
        within = by_corpus(table, own) if own else {}
    unchosen: dict[str, Outcome] = {}
    chosen: list[Choice] = []
    if choice_nested:
        with contextlib.suppress(DataError):  # too few speakers to choose among themselves
            unchosen, chosen = nested(material, run)
    below = thresholds(outcomes["running"], recipe.shares)
    folds = len(side_folds(material, recipe.folds, seed=run.seed))
    return Evaluation(
        subject=f"recipe, {folds}-fold cross-validation by speaker",
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        by_group=_by_group(table, outcomes, groups),
        missed=panic_missed(table, outcomes, below=below[recipe.default_share]),
        thresholds=below,
        curves=_curves(table, outcomes),
        left_out=by_others,
        within=within,
        nested=pooled(table, unchosen),
        chosen=chosen,
        conditions={name: _unenrolled(pooled(conditions[name], found)) for name, found in judged.items()},
        alone={} if outcomes is alone else {"all": pooled(table, alone), **by_corpus(table, alone)},
        lively=_called(material.lively, lively["cold"]) if material.lively and lively else {},
    )


def _called(lively: Rehearsal, outcome: Outcome) -> dict[str, Called]:
    """By what the clips are, and for each of these by corpus."""
    said = outcome.probabilities.argmax(axis=1)
    whats, corpora = lively.whats[outcome.clips], lively.table.corpora[outcome.clips]
    kinds = {what: whats == what for what in np.unique(whats).tolist()}
    cells = {
        f"{what}, {corpus}": mask & (corpora == corpus)
        for what, mask in kinds.items()
        for corpus in np.unique(corpora[mask]).tolist()
    }
    return {
        name: Called(
            int(mask.sum()),
            angry=float(np.mean(said[mask] == LABELS.index(Label.ANGRY))),
            panic=float(np.mean(said[mask] == _PANIC)),
        )
        for name, mask in (kinds | cells).items()
    }


def evaluate_model(data: Data, run: Run, *, model: OnnxSvm, conditions: bool = False) -> Evaluation:
    """Try a trained model on a manifest; only speakers it was not trained on say anything.

    Args:
        data: The manifest, or the folder that holds it.
        run: Its seed is that of the order of the clips, the enrolments and the noise; its recipe is not used.
        model: A loaded model.
        conditions: Also every fifth clip through noise, rooms and codecs.

    Raises:
        DataError: The manifest is incomplete.
        AudioError: A recording cannot be read.
    """
    clips = read_manifest(data)
    table = table_of(clips, run.cache, progress=run.progress)
    judge = partial(_told, model)
    outcomes = try_out(table, judge=judge, prior=model.prior, seed=run.seed)
    spoiled = conditions_of(clips, run) if conditions else {}
    return Evaluation(
        subject=f"{model.name} {model.version}" + (", the machines alone" if model.look else ""),
        pooled=pooled(table, outcomes),
        by_corpus=by_corpus(table, outcomes),
        by_group=_by_group(table, outcomes, groups_of(clips)),
        missed=panic_missed(table, outcomes, below=model.escalate_below),
        thresholds=thresholds(outcomes["running"], tuple(model.thresholds)),
        curves=_curves(table, outcomes),
        false_alarms=judge_unlearned(table, judge=judge, prior=model.prior, seed=run.seed)[1],
        conditions={
            name: _unenrolled(pooled(one, try_out(one, judge=judge, prior=model.prior, seed=run.seed)))
            for name, one in spoiled.items()
        },
        heard=tuple(
            name for name in np.unique(table.corpora).tolist() if name in model.manifest.get("corpora", {})
        ),
    )


def _told(model: OnnxSvm, rows: Rows) -> NDArray[np.float64]:
    """Probabilities of the three labels, whatever a model answers inside; shape (n, 3)."""
    answers = answer(model.session, rows)
    return outside(answers) if answers.shape[1:] == (len(ANSWERS),) else answers


def conditions_of(clips: Sequence[Clip], run: Run) -> dict[str, Table]:
    """Every fifth clip through noise, rooms and codecs.

    Raises:
        AudioError: A recording cannot be read.
    """
    some = clips[::_EVERY]
    return {
        how.name: table_of(
            some,
            run.cache,
            spoil=[how] * len(some),
            seed=run.seed,
            stage=how.name,
            progress=run.progress,
        )
        for how in CONDITIONS
    }


def _unenrolled(figures: ByHistory) -> ByHistory:
    """A fifth of the clips leaves few speakers with enough calm ones to enrol."""
    return {history: one for history, one in figures.items() if not history.startswith("warm")}


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


def _by_group(
    table: Table, outcomes: dict[str, Outcome], groups: Mapping[str, NDArray[np.str_]]
) -> dict[str, dict[str, ByHistory]]:
    return {group: by_name(table, outcomes, names=names) for group, names in groups.items()}


def _curves(table: Table, outcomes: dict[str, Outcome]) -> dict[str, Curve]:
    return {name: _curve(table, outcomes[name]) for name in HISTORIES if len(outcomes[name].clips)}


def _curve(table: Table, outcome: Outcome) -> Curve:
    y = table.y[outcome.clips]
    confidence, right, clips = reliability(y, outcome.probabilities)
    coverage, risk = risk_coverage(y, outcome.probabilities)
    kept = np.unique(np.linspace(0, len(y) - 1, _POINTS).astype(np.int64))
    found, falsely = panic_found(y, outcome.probabilities)
    return Curve(
        confidence=confidence.tolist(),
        right=right.tolist(),
        clips=clips.tolist(),
        coverage=coverage[kept].tolist(),
        risk=risk[kept].tolist(),
        panic_found=found[kept].tolist(),
        falsely=falsely[kept].tolist(),
    )


def panic_found(
    y: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of panic that is found, and of all else that is called panic, each of shape (n,).

    From the clip that is most probably panic to all clips. Where there is no panic none is found.
    """
    panic = (y == _PANIC)[np.argsort(-probabilities[:, _PANIC], kind="stable")]
    return np.cumsum(panic) / max(panic.sum(), 1), np.cumsum(~panic) / max((~panic).sum(), 1)
