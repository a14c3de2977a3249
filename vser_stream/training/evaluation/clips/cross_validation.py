"""How good a recipe or a model is on speakers it has never heard."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.core.scoring.baseline import Baseline, Prior, model_input
from vser_stream.errors import DataError
from vser_stream.training.classifier.fit import Split, outside, side_folds, speaker_folds
from vser_stream.training.classifier.learn import learn
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import CALM, Judge, Table, cold, running, speaker_rows
from vser_stream.training.evaluation.metrics import Figures, Missed, figures, missed
from vser_stream.training.progress import tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

__all__ = [
    "BOTH",
    "HISTORIES",
    "LIVELY",
    "Outcome",
    "by_corpus",
    "by_name",
    "cross_validate",
    "false_alarms",
    "leave_one_corpus_out",
    "merged",
    "panic_missed",
    "pooled",
    "thresholds",
    "through",
    "try_out",
    "within_corpora",
]

_FEW_FOLDS = 3
"""Of a single corpus, which may have seven speakers."""

HISTORIES = ("cold", "running", "warm 1", "warm 3")
"""What is known of the speaker: nothing, what the agent took for calm, 1 or 3 calm clips."""

BOTH, LIVELY = "both judges", "lively"
"""Names of what is judged beside the tables that were asked for."""

_ENROLLED = 3
"""Calm clips of each speaker that are set aside in both warm histories."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Decisions about some clips of a table under one history."""

    clips: NDArray[np.int64]
    """Rows of the table, shape (n,)."""

    probabilities: NDArray[np.float64]
    """Shape (n, 3)."""


def try_out(table: Table, *, judge: Judge, prior: Prior, seed: int = 0) -> dict[str, Outcome]:
    """Judge the clips of speakers the model has not heard, under each of :data:`HISTORIES`.

    Three calm clips of each speaker are set aside for the warm histories and not judged in them;
    speakers with fewer than four calm clips have no warm history.
    """
    rng = np.random.default_rng(seed)
    everything = np.arange(len(table))
    outcomes = {
        "cold": Outcome(everything, judge(cold(table, prior))),
        "running": Outcome(everything, running(table, prior, judge=judge, rng=rng)[1]),
    }
    aside = _set_aside(table, rng)
    for count in (1, _ENROLLED):
        clips, inputs = _warm(table, prior, aside, count=count)
        judged = judge(inputs) if len(clips) else np.empty((0, 3))
        outcomes[f"warm {count}"] = Outcome(clips, judged)
    return outcomes


def cross_validate(material: Material, run: Run) -> dict[str, Outcome]:
    """Judge every clip by a model that has not heard its speaker.

    Args:
        material: To learn from; of the clips of a fold only the clean ones are judged.
        run: How each fold's model is made.
    """
    folds = side_folds(material, run.recipe.folds, seed=run.seed)
    return _unheard(material, run, folds, stage="cross-validation")


def within_corpora(material: Material, run: Run) -> dict[str, Outcome]:
    """Judge every corpus that has all labels by models of its own other speakers; as :func:`cross_validate`.

    Corpora with too few speakers for that are left out.
    """
    few = replace(run.recipe, folds=_FEW_FOLDS, calibration_folds=_FEW_FOLDS - 1)
    corpora, folds = material.clean.corpora, []
    for name in np.unique(corpora):
        theirs = np.flatnonzero(corpora == name)
        with contextlib.suppress(DataError):
            some = speaker_folds(material.clean.where(theirs), few.folds, seed=run.seed)
            folds += [(theirs[known], theirs[unheard]) for known, unheard in some]
    return _unheard(material, replace(run, recipe=few), folds, stage="within corpora") if folds else {}


def through(material: Material, run: Run, conditions: Mapping[str, Table]) -> dict[str, dict[str, Outcome]]:
    """As :func:`cross_validate`, of several tables of the same speakers at once.

    Beside them :data:`BOTH` has the clean clips as judged with the second look, where there is an encoder,
    and :data:`LIVELY` the clips that are none of the three labels, by whatever decides, cold.
    """
    folds = side_folds(material, run.recipe.folds, seed=run.seed)
    return _judged(material, run, folds, conditions, stage="cross-validation")


def leave_one_corpus_out(material: Material, run: Run) -> dict[str, Outcome]:
    """Judge every corpus by a model that has heard only the others; as :func:`cross_validate`."""
    corpora = material.clean.corpora
    folds = [
        (np.flatnonzero(corpora != name), np.flatnonzero(corpora == name)) for name in np.unique(corpora)
    ]
    return _unheard(material, run, folds, stage="corpus left out")


def pooled(table: Table, outcomes: dict[str, Outcome]) -> dict[str, Figures]:
    """Figures of each history over all clips."""
    return {
        name: figures(table.y[it.clips], it.probabilities, speakers=table.speakers[it.clips])
        for name, it in outcomes.items()
        if len(it.clips)
    }


def by_corpus(table: Table, outcomes: dict[str, Outcome]) -> dict[str, dict[str, Figures]]:
    """Figures of each history for each corpus."""
    return by_name(table, outcomes, names=table.corpora)


def by_name(
    table: Table, outcomes: dict[str, Outcome], *, names: NDArray[np.str_]
) -> dict[str, dict[str, Figures]]:
    """Figures of each history for the clips of each name, shape (n_clips,)."""
    return {str(name): pooled(table, _only(outcomes, names == name)) for name in np.unique(names)}


def panic_missed(table: Table, outcomes: dict[str, Outcome], *, below: float) -> dict[str, Missed]:
    """What becomes of panic under each history where confidences ``below`` are escalated."""
    found = {
        name: missed(table.y[it.clips], it.probabilities, below=below, speakers=table.speakers[it.clips])
        for name, it in outcomes.items()
        if len(it.clips)
    }
    return {name: one for name, one in found.items() if one}


def thresholds(outcome: Outcome, shares: Sequence[int]) -> dict[int, float]:
    """Confidence under which each share (percent) of the decisions lies."""
    confidence = outcome.probabilities.max(axis=1)
    return {share: float(np.quantile(confidence, share / 100)) for share in shares}


def false_alarms(outcomes: dict[str, Outcome]) -> dict[str, float]:
    """Share of clips called angry or panic under each history, where all should be calm."""
    return {
        name: float(np.mean(it.probabilities.argmax(axis=1) != CALM))
        for name, it in outcomes.items()
        if len(it.clips)
    }


def _unheard(material: Material, run: Run, folds: Sequence[Split], *, stage: str) -> dict[str, Outcome]:
    # The machines alone: with a second look each of so many folds would take minutes.
    return _judged(material.without_looks, run, folds, {"": material.clean}, stage=stage)[""]


def _judged(
    material: Material, run: Run, folds: Sequence[Split], tables: Mapping[str, Table], *, stage: str
) -> dict[str, dict[str, Outcome]]:
    jobs = (joblib.delayed(_fold)(material, fold, run.recipe, tables, run.seed) for fold in folds)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    parts = list(tracked(done, stage, total=len(folds), progress=run.progress))
    return {name: merged([part[name] for part in parts]) for name in parts[0]}


def _fold(
    material: Material, fold: Split, recipe: Recipe, tables: Mapping[str, Table], seed: int
) -> dict[str, dict[str, Outcome]]:
    known, unheard = fold
    judges = learn(material.where(known), recipe, seed=seed)
    speakers = material.clean.speakers[unheard]
    found = {
        name: _tried(table, speakers, judges.fitted.judge, judges.prior, seed)
        for name, table in tables.items()
    }
    if material.embeddings:
        clips = np.flatnonzero(np.isin(material.clean.speakers, speakers))
        judge = judges.both(material.clean.where(clips), material.embeddings[0][clips])
        found[BOTH] = _tried(material.clean, speakers, judge, judges.prior, seed)
    if material.lively is not None and material.sides is not None:
        rows = np.flatnonzero(np.isin(material.lively.sides, material.sides[unheard]))
        inputs = cold(material.lively.table.where(rows), judges.prior)
        found[LIVELY] = {"cold": Outcome(rows, outside(judges.answers(inputs, material.lively.looks[rows])))}
    return found


def _tried(
    table: Table, speakers: NDArray[np.str_], judge: Judge, prior: Prior, seed: int
) -> dict[str, Outcome]:
    rows = np.flatnonzero(np.isin(table.speakers, speakers))
    parts = try_out(table.where(rows), judge=judge, prior=prior, seed=seed)
    return {history: Outcome(rows[it.clips], it.probabilities) for history, it in parts.items()}


def merged(parts: Sequence[Mapping[str, Outcome]]) -> dict[str, Outcome]:
    """The outcomes of all folds as one, for each history."""
    return {
        name: Outcome(
            np.concatenate([part[name].clips for part in parts]),
            np.concatenate([part[name].probabilities for part in parts]),
        )
        for name in parts[0]
    }


def _set_aside(table: Table, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Three calm clips of each speaker who has more."""
    calm = [rows[table.y[rows] == CALM] for rows in speaker_rows(table.speakers)]
    return [rng.permutation(rows)[:_ENROLLED] for rows in calm if len(rows) > _ENROLLED]


def _warm(
    table: Table, prior: Prior, aside: Sequence[NDArray[np.int64]], *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    clips: list[int] = []
    inputs = []
    for enrolled in aside:
        baseline = Baseline.from_prior(prior)
        for row in enrolled[:count]:
            baseline = baseline.updated(table.features[row])
        theirs = np.flatnonzero(table.speakers == table.speakers[enrolled[0]])
        judged = np.setdiff1d(theirs, enrolled)
        clips += judged.tolist()
        inputs += [model_input(table.features[row], baseline) for row in judged]
    return np.array(clips, np.int64), np.array(inputs, np.float32)


def _only(outcomes: dict[str, Outcome], kept: NDArray[np.bool_]) -> dict[str, Outcome]:
    return {
        name: Outcome(it.clips[kept[it.clips]], it.probabilities[kept[it.clips]])
        for name, it in outcomes.items()
    }
