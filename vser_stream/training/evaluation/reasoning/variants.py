"""Tables III and IV of Nguyen et al. (2026): five versions of the system, for any reasoner.

v1 the reasoner alone, from the cues; v2 with the rules as first written; v3 with the refined ones; v4
the hybrid: the SVM decides, and the reasoner with it where the SVM is unsure; v5 unguided: the
reasoner is given every clip and all evidence, and neither rules nor routing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.reason.fuse import fuse
from vser_stream.core.reason.rules import NO_RULES, RuleBook
from vser_stream.core.scoring.route import is_ambiguous
from vser_stream.ports import Reasoner
from vser_stream.training.evaluation.metrics import Interval, confusion, figures
from vser_stream.training.progress import Progress, silent
from vser_stream.training.reasoner.teacher import KNOWS_NOTHING
from vser_stream.values import LABELS, Case, Probabilities

__all__ = ["VARIANTS", "Books", "Scores", "Trial", "try_variants", "variants_table"]

VARIANTS = ("v1", "v2", "v3", "v4", "v5")

_WITHIN = 60.0
"""Time for one answer: this is no live agent (s)."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Books:
    """The rules as first written, and as they are now."""

    first: RuleBook
    refined: RuleBook

    def of(self, variant: str) -> RuleBook:
        """What a version is told."""
        return {"v2": self.first, "v3": self.refined, "v4": self.refined}.get(variant, NO_RULES)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Clips of speakers that the SVM and the second opinion have not heard."""

    cases: Sequence[Case]
    y: NDArray[np.int64]
    """Indices into ``LABELS``, shape (n_clips,)."""

    speakers: NDArray[np.str_]
    """Shape (n_clips,)."""

    sets: Mapping[str, NDArray[np.int64]]
    """Rows of each set of speakers, shape (n,); no speaker is in two."""

    escalate_below: float
    """Confidence under which a decision is escalated (probability)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one version is worth on one set."""

    reasoner: str
    variant: str
    subset: str
    clips: int
    accuracy: float
    """From 0 to 1."""

    precision: float
    """Mean over the labels, as recall is; from 0 to 1."""

    recall: float
    """From 0 to 1."""

    macro_f1: Interval
    escalated: float
    """Share of clips the reasoner was asked about."""

    seconds: float
    """For each decision, on average over all clips (s)."""


def try_variants(
    trial: Trial,
    reasoner_for: Callable[[RuleBook], Reasoner],
    *,
    name: str,
    books: Books,
    variants: Sequence[str] = VARIANTS,
    progress: Progress = silent,
) -> list[Scores]:
    """Let every version decide every clip.

    Args:
        trial: What is judged.
        reasoner_for: Gives the reasoner that was told a rule book.
        name: Of the reasoner.
        books: Of v2, and of v3 and v4.
        variants: Which of :data:`VARIANTS`.
        progress: Told of each clip.

    Raises:
        ReasonerError: The reasoner cannot answer.
    """
    found = []
    for variant in variants:
        reasoner = reasoner_for(books.of(variant))
        decided, seconds, asked = _decided(
            trial, reasoner, variant=variant, books=books, stage=f"{name} {variant}", progress=progress
        )
        for subset, rows in trial.sets.items():
            found.append(
                _scores(
                    (name, variant, subset),
                    trial.y[rows],
                    decided[rows],
                    speakers=trial.speakers[rows],
                    asked=float(asked[rows].mean()),
                    seconds=float(seconds[rows].mean()),
                )
            )
    return found


def _decided(
    trial: Trial, reasoner: Reasoner, *, variant: str, books: Books, stage: str, progress: Progress
) -> tuple[_Floats, _Floats, NDArray[np.bool_]]:
    """Probabilities, seconds, and whether the reasoner was asked, for each clip."""
    rows, seconds, asked = [], [], []
    for number, case in enumerate(trial.cases):
        began = time.perf_counter()
        ask = variant != "v4" or is_ambiguous(case.probabilities, escalate_below=trial.escalate_below)
        verdict = _verdict(case, reasoner, variant, books) if ask else case.probabilities
        seconds.append(time.perf_counter() - began)
        rows.append([verdict.of(label) for label in LABELS])
        asked.append(ask)
        progress(stage, number + 1, len(trial.cases))
    return np.array(rows), np.array(seconds), np.array(asked)


def _verdict(case: Case, reasoner: Reasoner, variant: str, books: Books) -> Probabilities:
    told = replace(case, fired=books.of(variant).fired(case.cues))
    if variant in {"v1", "v2", "v3"}:
        told = replace(told, probabilities=KNOWS_NOTHING, second=None)
    belief = reasoner.judge(told, within=_WITHIN)
    return fuse(case.probabilities, belief) if variant == "v4" else belief


def _scores(
    what: tuple[str, str, str],
    y: NDArray[np.int64],
    decided: _Floats,
    *,
    speakers: NDArray[np.str_],
    asked: float,
    seconds: float,
) -> Scores:
    matrix = confusion(y, decided.argmax(axis=1)).astype(np.float64)
    hits, of_label, called = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    there = of_label > 0
    return Scores(
        *what,
        clips=len(y),
        accuracy=float(hits.sum() / len(y)),
        precision=float(np.mean((hits / np.maximum(called, 1.0))[there])),
        recall=float(np.mean(hits[there] / of_label[there])),
        macro_f1=figures(y, decided, speakers=speakers).macro_f1,
        escalated=asked,
        seconds=seconds,
    )


def variants_table(scores: Sequence[Scores]) -> str:
    """Both tables as lines of text: every version on every set, for each reasoner."""
    head = (
        f"{'reasoner':<28}{'version':<9}{'set':<8}{'clips':>6}{'accuracy':>10}{'precision':>11}{'recall':>8}"
        f"  {'macro-F1':<22}{'asked':>7}{'ms':>9}"
    )
    return "\n".join([head, *map(_line, scores)])


def _line(one: Scores) -> str:
    return (
        f"{one.reasoner:<28}{one.variant:<9}{one.subset:<8}{one.clips:>6}{one.accuracy:>10.3f}"
        f"{one.precision:>11.3f}{one.recall:>8.3f}  {one.macro_f1!s:<22}"
        f"{one.escalated:>7.1%}{1000.0 * one.seconds:>9.1f}"
    )
