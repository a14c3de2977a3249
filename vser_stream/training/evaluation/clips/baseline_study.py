"""How the calm baseline of a source fares over time: strangers, bad beginnings, company, a new place.

An agent whose model has not heard the speakers listens to their real clips one after the other and
learns by its own decisions, as the live one does; the same clips judged cold stand beside. Corpora
hold no time of day, so the order is drawn; a voice that ages or a slow drift of timbre cannot be
told from them and is not simulated, a change of room, microphone and line at once is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.core.scoring.baseline import Baseline, Prior, is_calm_enough, model_input
from vser_stream.training.classifier.fit import Split, fit, speaker_folds
from vser_stream.training.classifier.material import Material, material_of
from vser_stream.training.data.corpus import Data, read_manifest
from vser_stream.training.data.histories import CALM, Judge, Rows, Table, judged, speaker_rows
from vser_stream.training.evaluation.metrics import Figures, Interval, figures, gain
from vser_stream.training.progress import tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run
from vser_stream.values import Label, Probabilities

__all__ = [
    "SCENARIOS",
    "Listening",
    "Scenario",
    "Session",
    "Stretch",
    "evaluate_listening",
    "follow",
    "listening_table",
    "simulate",
]

_ENROLLED = 3
_BAD_START = 4
"""Utterances of a person who is not calm when monitoring begins."""

_FIRST = (5, 10, 20)
"""Utterances after which the figures are taken."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What one agent hears, as rows of a table."""

    heard: _Ints
    """In the order of time, shape (n,)."""

    enrolled: _Ints
    """Calm clips that were given to it before, shape (n_enrolled,)."""

    turn: int = 0
    """Position in ``heard`` from which decisions are counted."""

    moved: bool = False
    """From the turn on it hears through another room, microphone and line."""

    forgets: bool = False
    """At the turn its baseline is deleted."""


Compose = Callable[[Table, np.random.Generator], Iterator[Session]]


def _acquainted(count: int) -> Compose:
    """Speakers with a calm clip beside three, which are not judged whatever ``count`` is."""

    def compose(table: Table, rng: np.random.Generator) -> Iterator[Session]:
        for rows in speaker_rows(table.speakers):
            calm = rng.permutation(rows[table.y[rows] == CALM])
            heard = rng.permutation(np.setdiff1d(rows, calm[:_ENROLLED]))
            if len(calm) > _ENROLLED:
                yield Session(heard, calm[:count])

    return compose


def _bad_start(table: Table, rng: np.random.Generator) -> Iterator[Session]:
    for rows in speaker_rows(table.speakers):
        first = rng.permutation(rows[table.y[rows] != CALM])[:_BAD_START]
        rest = rng.permutation(np.setdiff1d(rows, first))
        if len(first) == _BAD_START and np.any(table.y[rest] == CALM):
            yield Session(np.concatenate([first, rest]), _NOBODY, turn=_BAD_START)


def _two_people(table: Table, rng: np.random.Generator) -> Iterator[Session]:
    """Pairs of one corpus, each to the end of whoever says less."""
    for corpus in np.unique(table.corpora):
        people = [rows for rows in speaker_rows(table.speakers) if table.corpora[rows[0]] == corpus]
        people = [rng.permutation(people[index]) for index in rng.permutation(len(people))]
        for one, other in zip(people[::2], people[1::2], strict=False):
            turns = min(len(one), len(other))
            yield Session(np.column_stack([one[:turns], other[:turns]]).ravel(), _NOBODY)


def _only(calm: bool) -> Compose:  # noqa: FBT001 - reads as a word in the table below
    def compose(table: Table, rng: np.random.Generator) -> Iterator[Session]:
        for rows in speaker_rows(table.speakers):
            heard = rng.permutation(rows[(table.y[rows] == CALM) == calm])
            if len(heard):
                yield Session(heard, _NOBODY)

    return compose


def _moved(table: Table, rng: np.random.Generator) -> Iterator[Session]:
    for session in _acquainted(0)(table, rng):
        yield replace(session, turn=len(session.heard) // 2, moved=True)


def _moved_and_forgotten(table: Table, rng: np.random.Generator) -> Iterator[Session]:
    for session in _moved(table, rng):
        yield replace(session, forgets=True)


_NOBODY = np.empty(0, np.int64)

SCENARIOS: Final[dict[str, Compose]] = {
    "a stranger": _acquainted(0),
    "1 calm clip given": _acquainted(1),
    "3 calm clips given": _acquainted(3),
    "after 4 not calm": _bad_start,
    "two people in turn": _two_people,
    "only ever calm": _only(calm=True),
    "never calm": _only(calm=False),
    "microphone moved": _moved,
    "moved and forgotten": _moved_and_forgotten,
}
"""All draw from the same seed: those with the same speakers have the same clips in the same order."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decisions up to a number of utterances."""

    listening: Figures
    cold: Figures
    """The same clips by an agent that knows nothing."""

    gain: Interval
    """Macro-F1 of the first over that of the second."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One course of events."""

    sessions: int
    learned: int
    """Utterances the agents took for calm and learned from."""

    mistaken: int
    """Of those, not calm."""

    stretches: dict[str, Stretch]
    """By how many utterances of each session are counted."""


QUICK: Final = Recipe(folds=3)
"""Three folds: each of their models is heard in every scenario."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Every scenario, by its name."""

    folds: int
    scenarios: dict[str, Scenario]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def evaluate_listening(data: Data, run: Run) -> Listening:
    """Let agents listen to the speakers of a manifest, each with a model that has not heard them.

    The recipe is best :data:`QUICK`.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
    """
    clips = read_manifest(data, exclude=(*run.recipe.exclude, *run.recipe.calm_only))
    return simulate(material_of(clips, run), run)


def simulate(material: Material, run: Run) -> Listening:
    """As :func:`evaluate_listening`, from features.

    The first copy is what is heard after a microphone was moved; without one nobody moves it.
    """
    folds = speaker_folds(material.clean, run.recipe.folds, seed=run.seed)
    jobs = (joblib.delayed(_fold)(material, fold, run.recipe, run.seed) for fold in folds)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    parts = list(tracked(done, "listening", total=len(folds), progress=run.progress))
    return Listening(
        run.recipe.folds,
        {name: _scenario([one for part in parts for one in part[name]]) for name in parts[0]},
    )


def follow(
    sessions: Sequence[Session], tables: Sequence[Table], *, prior: Prior, judge: Judge
) -> list[_Floats]:
    """Return the probabilities each agent gave while it listened and learned, shape (n_heard, 3).

    All take their next step together, so that ``judge`` is asked for many rows at once.
    """
    start = Baseline.from_prior(prior)
    vectors = [_vectors(session, tables) for session in sessions]
    baselines = [_after(start, tables[0].features[session.enrolled]).enrolled() for session in sessions]
    given = [np.zeros((len(heard), 3)) for heard in vectors]
    for step in range(max(map(len, vectors), default=0)):
        now = [agent for agent, heard in enumerate(vectors) if step < len(heard)]
        for agent in now:
            if sessions[agent].forgets and sessions[agent].turn == step:
                baselines[agent] = start
        heard = np.array([vectors[agent][step] for agent in now])
        decided = judged(heard, [baselines[agent] for agent in now], judge)
        for agent, probabilities in zip(now, decided, strict=True):
            given[agent][step] = probabilities
            if is_calm_enough(Probabilities.folded(probabilities)):
                baselines[agent] = baselines[agent].updated(vectors[agent][step])
    return given


def listening_table(listening: Listening) -> str:
    """The figures as lines of text."""
    head = ("calm", "cold", "panic", "cold")
    lines = [
        f"models of {listening.folds} folds have not heard the speakers; gain: macro-F1 over cold",
        "",
        f"{'':<22}{'utterances':>11}{'macro-F1':>10}{'cold':>7}  {'gain':<23}"
        + "".join(f"{name:>7}" for name in head),
    ]
    for name, scenario in listening.scenarios.items():
        titles = [name, *[""] * len(scenario.stretches)]
        for title, (told, stretch) in zip(titles, scenario.stretches.items(), strict=False):
            lines.append(f"{title:<22}{told:>11}{_cells(stretch)}")
        lines.append(
            f"{'':<22}{scenario.sessions} sessions; learned from {scenario.learned}, "
            f"{scenario.mistaken} of them not calm"
        )
    return "\n".join(lines)


def _cells(stretch: Stretch) -> str:
    both = (stretch.listening, stretch.cold)
    macro = "{:>10.3f}{:>7.3f}".format(*(one.macro_f1.value for one in both))
    recalls = "".join(
        f"{one.recall[label].value:>7.3f}" if label in one.recall else f"{'-':>7}"
        for label in (Label.CALM, Label.PANIC)
        for one in both
    )
    told = f"{stretch.gain.value:+.3f} [{stretch.gain.low:+.3f}, {stretch.gain.high:+.3f}]"
    return f"{macro}  {told:<23}{recalls}"


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """One session after it was followed."""

    name: str
    turn: int
    y: _Ints
    listening: _Floats
    cold: _Floats


def _fold(material: Material, fold: Split, recipe: Recipe, seed: int) -> dict[str, list[_Followed]]:
    known, unheard = fold
    fitted = fit(material.where(known), recipe, seed=seed)
    unknown = material.where(unheard)
    theirs = [unknown.clean, *unknown.spoiled]
    return {
        name: _followed(compose(theirs[0], np.random.default_rng(seed)), theirs, fitted.prior, fitted.judge)
        for name, compose in SCENARIOS.items()
        if len(theirs) > 1 or compose not in (_moved, _moved_and_forgotten)
    }


def _followed(
    composed: Iterator[Session], tables: Sequence[Table], prior: Prior, judge: Judge
) -> list[_Followed]:
    sessions = list(composed)
    start = Baseline.from_prior(prior)
    told = []
    for session, given in zip(sessions, follow(sessions, tables, prior=prior, judge=judge), strict=True):
        cold = judge(np.array([model_input(row, start) for row in _vectors(session, tables)]))
        name = "+".join(np.unique(tables[0].speakers[session.heard]).tolist())
        told.append(_Followed(name, session.turn, tables[0].y[session.heard], given, cold))
    return told


def _vectors(session: Session, tables: Sequence[Table]) -> Rows:
    rows = tables[0].features[session.heard]
    if session.moved:
        rows = np.concatenate([rows[: session.turn], tables[1].features[session.heard[session.turn :]]])
    return rows


def _after(start: Baseline, vectors: Rows) -> Baseline:
    baseline = start
    for vector in vectors:
        baseline = baseline.updated(vector)
    return baseline


def _scenario(followed: Sequence[_Followed]) -> Scenario:
    taken = [
        it.y[index]
        for it in followed
        for index, row in enumerate(it.listening)
        if is_calm_enough(Probabilities.folded(row))
    ]
    longest = max(len(it.y) - it.turn for it in followed)
    counted = {f"first {count}": count for count in _FIRST if count < longest} | {"all": longest}
    return Scenario(
        sessions=len(followed),
        learned=len(taken),
        mistaken=int(np.sum(np.array(taken, np.int64) != CALM)),
        stretches={told: _stretch(followed, count) for told, count in counted.items()},
    )


def _stretch(followed: Sequence[_Followed], count: int) -> Stretch:
    """Of the first ``count`` utterances after the turn of each session."""
    spans = [slice(it.turn, it.turn + count) for it in followed]
    both = list(zip(followed, spans, strict=True))
    y = np.concatenate([it.y[span] for it, span in both])
    listening = np.concatenate([it.listening[span] for it, span in both])
    cold = np.concatenate([it.cold[span] for it, span in both])
    who = np.concatenate([np.full(len(it.y[span]), it.name) for it, span in both])
    return Stretch(
        listening=figures(y, listening, speakers=who),
        cold=figures(y, cold, speakers=who),
        gain=gain(y, listening, over=cold, speakers=who),
    )
