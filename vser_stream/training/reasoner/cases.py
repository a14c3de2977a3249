"""What a reasoner would have been told of each clip of a corpus."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.scoring.baseline import Baseline, Prior, is_calm_enough
from vser_stream.core.scoring.descriptors import describe
from vser_stream.training.classifier.fit import Split, fit, speaker_folds
from vser_stream.training.classifier.material import Material, material_of
from vser_stream.training.classifier.second_opinion import fit_second
from vser_stream.training.data.corpus import Data, read_manifest
from vser_stream.training.data.histories import Judge, Table, judged, speaker_rows
from vser_stream.training.progress import tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run
from vser_stream.values import Case, Label, Probabilities, Vector

__all__ = ["HELD_OUT", "Evidence", "cases_of", "evidence_of", "evidence_of_corpus", "under"]

HELD_OUT = 0
"""Fold of speakers of whom the reasoner is told nothing; its figures are of these."""

_SNR = (10.0, 40.0)
"""Range from which the level over the noise floor is drawn: a table has no floor (dB)."""

_RECENT = 3
_LEVEL = FEATURES.index("level_p95")


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a reasoner would have been told of each clip of a corpus, by models that never heard its speaker.

    Every list is in the order of the clips.
    """

    running: list[Case]
    """By an agent that has learned calm by its own decisions."""

    cold: list[Case]
    """By one that knows nothing of the speaker."""

    spoiled: list[Case]
    """As ``running``, through noise, rooms and telephones."""

    y: NDArray[np.int64]
    """Indices into ``LABELS``, shape (n_clips,)."""

    speakers: NDArray[np.str_]
    """Shape (n_clips,)."""

    folds: NDArray[np.int64]
    """Which models judged a clip; no speaker is in two folds. Shape (n_clips,)."""

    def under(self, book: RuleBook) -> Evidence:
        """The same with the rules of a book."""
        running, cold, spoiled = (under(book, kind) for kind in (self.running, self.cold, self.spoiled))
        return replace(self, running=running, cold=cold, spoiled=spoiled)

    def all_of(self, clips: NDArray[np.bool_]) -> tuple[list[Case], NDArray[np.int64]]:
        """Cases of every kind, and the labels, of some clips."""
        rows = np.flatnonzero(clips)
        kinds = (self.running, self.cold, self.spoiled)
        return [kind[row] for kind in kinds for row in rows], np.tile(self.y[rows], len(kinds))


def under(book: RuleBook, cases: Sequence[Case]) -> list[Case]:
    """Let the rules of a book fire on cases, instead of those that did."""
    return [replace(case, fired=book.fired(case.cues)) for case in cases]


def evidence_of_corpus(data: Data, book: RuleBook, run: Run) -> Evidence:
    """As :func:`evidence_of`, from a manifest.

    It is computed once and kept beside the features.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
    """
    clips = read_manifest(data, exclude=(*run.recipe.exclude, *run.recipe.calm_only))
    material = material_of(clips, run)
    file = run.cache.beside(evidence_of, name="evidence") / f"{_key(material, run.recipe, run.seed)}.joblib"
    evidence = _kept(file)
    if evidence is None:
        evidence = evidence_of(material, run)
        scratch = file.with_suffix(f".{os.getpid()}")
        joblib.dump(evidence, scratch, compress=3)
        scratch.replace(file)
    return evidence.under(book)


def _kept(file: Path) -> Evidence | None:
    """None, too, where a module has been renamed since: pickled values name theirs."""
    try:
        kept: Evidence = joblib.load(file)
    except (FileNotFoundError, ImportError, AttributeError):
        return None
    return kept


def _key(material: Material, recipe: Recipe, seed: int) -> str:
    return hashlib.sha256(f"{joblib.hash(material)} {recipe!r} {seed}".encode()).hexdigest()


def evidence_of(material: Material, run: Run) -> Evidence:
    """Fit the SVM and the second opinion on all but one fold of speakers, and let them judge that one.

    No rule fires yet: see :meth:`Evidence.under`.

    Args:
        material: With one spoiled copy at least.
        run: Its recipe is that of both opinions.

    Raises:
        DataError: There are fewer speakers than folds.
    """
    splits = speaker_folds(material.clean, run.recipe.folds, seed=run.seed)
    jobs = (joblib.delayed(_fold)(material, split, run.recipe, run.seed) for split in splits)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    parts = list(tracked(done, "evidence", total=len(splits), progress=run.progress))
    found: dict[str, dict[int, Case]] = {"running": {}, "cold": {}, "spoiled": {}}
    folds = np.zeros(len(material.clean), np.int64)
    for number, ((_, unheard), part) in enumerate(zip(splits, parts, strict=True)):
        folds[unheard] = number
        for kind, cases in part.items():
            found[kind].update(zip(unheard.tolist(), cases, strict=True))
    ordered = {kind: [cases[row] for row in range(len(folds))] for kind, cases in found.items()}
    return Evidence(**ordered, y=material.clean.y, speakers=material.clean.speakers, folds=folds)


def _fold(material: Material, split: Split, recipe: Recipe, seed: int) -> dict[str, list[Case]]:
    known, unheard = split
    theirs = material.where(known)
    fitted, second = fit(theirs, recipe, seed=seed), fit_second(theirs, recipe, seed=seed)
    spoiled = material.spoiled[0] if material.spoiled else material.clean
    rng = np.random.default_rng(seed)
    return {
        kind: cases_of(
            table.where(unheard),
            fitted.prior,
            judge=fitted.judge,
            second=second.judge,
            rng=rng,
            learning=kind != "cold",
        )
        for kind, table in (("running", material.clean), ("cold", material.clean), ("spoiled", spoiled))
    }


def cases_of(
    table: Table,
    prior: Prior,
    *,
    judge: Judge,
    second: Judge,
    rng: np.random.Generator,
    learning: bool = True,
) -> list[Case]:
    """Let an agent hear each speaker's clips in random order, learning calm by its own decisions.

    Args:
        table: Clips of speakers that neither ``judge`` nor ``second`` has heard.
        prior: Calm voice of the others.
        judge: The classifier.
        second: The second opinion.
        rng: Of the order and the noise floors.
        learning: Otherwise it stays as cold as it began.

    Returns:
        One case for each clip, in the order of the table, without rules.
    """
    agents, cases = list[_Agent](), dict[int, Case]()
    for rows in speaker_rows(table.speakers):
        floor_db = float(table.features[rows, _LEVEL].mean()) - rng.uniform(*_SNR)
        agents.append(_Agent(rng.permutation(rows), Baseline.from_prior(prior), floor_db, learning))
    for step in range(max(len(agent.turn) for agent in agents)):
        listening = [agent for agent in agents if step < len(agent.turn)]
        vectors = table.features[[agent.turn[step] for agent in listening]]
        baselines = [agent.baseline for agent in listening]
        opinions = (judged(vectors, baselines, one) for one in (judge, second))
        for agent, vector, svm, other in zip(listening, vectors, *opinions, strict=True):
            cases[int(agent.turn[step])] = agent.told(vector, (_belief(svm), _belief(other)))
    return [cases[row] for row in range(len(table))]


@dataclass(slots=True)
class _Agent:
    """Listens to one speaker."""

    turn: NDArray[np.int64]
    """Rows of the table in the order they are heard."""

    baseline: Baseline
    floor_db: float
    learning: bool
    recent: tuple[Label, ...] = ()

    def told(self, vector: Vector, opinions: tuple[Probabilities, Probabilities]) -> Case:
        """What the reasoner is told of the next clip; then learn from it."""
        svm, second = opinions
        cues = describe(vector, self.baseline, floor_db=self.floor_db)
        snr_db = round(float(vector[_LEVEL]) - self.floor_db, 1)
        case = Case(svm, second, cues, (), self.recent, snr_db)
        self.recent = (*self.recent, svm.top)[-_RECENT:]
        if self.learning and is_calm_enough(svm):
            self.baseline = self.baseline.updated(vector)
        return case


def _belief(row: NDArray[np.float64]) -> Probabilities:
    return Probabilities.folded(row.tolist())
