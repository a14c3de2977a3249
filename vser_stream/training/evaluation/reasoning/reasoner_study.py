"""Everything that is claimed of reasoners, measured at once: versions, comparison, steering, rationales."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.dialogue import General, Specialist, Talk
from vser_stream.core.reason.fuse import explained, fuse
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.rules import NO_RULES, RuleBook
from vser_stream.core.reason.writer import Writer
from vser_stream.core.scoring.route import is_ambiguous
from vser_stream.ports import Reasoner
from vser_stream.training.evaluation.reasoning.hybrid import Compared, compare, comparison_table
from vser_stream.training.evaluation.reasoning.label_leakage import BlindReading, blind_reading
from vser_stream.training.evaluation.reasoning.steering import Steered, steered, steering_table
from vser_stream.training.evaluation.reasoning.variants import (
    Books,
    Scores,
    Trial,
    try_variants,
    variants_table,
)
from vser_stream.training.reasoner.cases import HELD_OUT, Evidence
from vser_stream.training.reasoner.ungrammared import honesty
from vser_stream.training.run import Run
from vser_stream.values import LABELS, Case, Label, RationaleBy

__all__ = ["Published", "Report", "report_on", "report_text"]

_WITHIN = 60.0
_SHARE = 0.2
"""Share of clips to escalate, as the shipped model does."""


_EDITED = 1000
"""Edits of each kind of the rule book that the bundled reasoner is told."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rationales as the live agent would publish them, in one language."""

    language: str
    rationales: int
    by_reasoner: float
    """Share that is the reasoner's own; the others are written from the evidence."""

    retried: int
    """Asked a second time."""

    passed: float
    """Share of what is published that the checker passes; it must be all."""

    blind: BlindReading


@dataclass(frozen=True, slots=True)
class Report:
    """Of one reasoner."""

    reasoner: str
    scores: list[Scores]
    compared: dict[str, list[Compared]]
    """By what the agent knew (running, cold, spoiled) and whom (test, all speakers).

    Of the speakers outside the test set, a reasoner trained here was taught what a stacker of 18
    weights says, and never the label; "what is taught" is that stacker fitted without the speaker.
    """

    steering: list[Steered]
    published: list[Published]


def report_on(
    evidence: Evidence,
    path: Path,
    *,
    books: Books,
    variants: Sequence[str],
    clips: int,
    run: Run,
) -> Report:
    """Measure one reasoner.

    Args:
        evidence: Of the corpus, by models that never heard the speakers.
        path: Folder of a bundled reasoner, or a GGUF file of a chat model.
        books: The rules as first written, and the refined ones.
        variants: The rows of tables III and IV of Nguyen et al. (2026).
        clips: Most clips of each set of speakers, most rationales of each language, and of a chat model
            most edits of each kind.
        run: Its seed is that of the choice of clips.

    Raises:
        ModelError: The model cannot be used.
        ReasonerError: It cannot answer.
    """
    below = float(np.quantile([case.probabilities.confidence for case in evidence.running], _SHARE))
    rng = np.random.default_rng(run.seed)
    sets = _sets(evidence, clips, rng)
    rows = np.concatenate(list(sets.values()))
    places = {name: np.searchsorted(np.sort(rows), one) for name, one in sets.items()}
    rows = np.sort(rows)
    trial = Trial(
        [evidence.running[row] for row in rows], evidence.y[rows], evidence.speakers[rows], places, below
    )
    unheard = evidence.folds == HELD_OUT
    with _opened(path) as opened:
        scores = try_variants(
            trial, opened.under, name=opened.name, books=books, variants=variants, progress=run.progress
        )
        reasoner = opened.under(books.refined)
        kinds = {"running": evidence.running, "cold": evidence.cold, "spoiled": evidence.spoiled}
        parts = {"test speakers": unheard, "all speakers": np.ones(len(unheard), np.bool_)}
        compared = {
            f"{kind}, {part}": one
            for kind, cases in (kinds if opened.bundled else {}).items()
            for part, one in compare(
                evidence, cases, reasoners={opened.name: reasoner}, escalate_below=below, parts=parts
            ).items()
        }
        unsure = [
            (case, evidence.speakers[row])
            for cases in kinds.values()
            for row, case in enumerate(cases)
            if unheard[row] and is_ambiguous(case.probabilities, escalate_below=below)
        ]
        asked = [unsure[row] for row in rng.permutation(len(unsure))]
        steering = steered(
            opened.under,
            [case for case, _ in asked],
            books.refined,
            speakers=np.array([speaker for _, speaker in asked]),
            most=_EDITED if opened.bundled else clips,
            seed=run.seed,
        )
        some = [case for case, _ in asked[:clips]], np.array([speaker for _, speaker in asked[:clips]])
        published = [_published(opened, language, *some, book=books.refined) for language in Language]
    return Report(opened.name, scores, compared, steering, published)


def _sets(evidence: Evidence, clips: int, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Three sets of speakers, and the test set, of whom a reasoner trained here was told nothing."""
    places = np.minimum((evidence.folds - HELD_OUT) % (evidence.folds.max() + 1), 3)
    names = {0: "test", 1: "set 1", 2: "set 2", 3: "set 3"}
    return {names[place]: rng.permutation(np.flatnonzero(places == place))[:clips] for place in sorted(names)}


@dataclass(slots=True)
class _Opened:
    """A reasoner that can be told another rule book, or language."""

    name: str
    bundled: bool
    book: RuleBook
    language: Language
    reasoner: LlamaReasoner

    def under(self, book: RuleBook) -> Reasoner:
        """The same, told ``book``."""
        self.book = book
        return self.reasoner


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    bundled = path.is_dir()
    weights = Weights(path / "model.gguf" if bundled else path)
    held: list[_Opened] = []

    def talk() -> Talk:
        now = held[0]
        return Specialist(now.language) if bundled else General(Chat(now.book, now.language))

    reasoner = LlamaReasoner(weights, talk)
    held.append(_Opened(path.stem, bundled, NO_RULES, Language.EN, reasoner))
    try:
        reasoner.prepare()
        yield held[0]
    finally:
        reasoner.close()


def _published(
    opened: _Opened, language: Language, cases: Sequence[Case], speakers: NDArray[np.str_], *, book: RuleBook
) -> Published:
    opened.language = language
    reasoner, writer = opened.under(book), Writer(book, language)
    verdicts = [fuse(case.probabilities, reasoner.judge(case, within=_WITHIN)).top for case in cases]

    def ask(case: Case, label: Label) -> str:
        return reasoner.explain(case, label, within=_WITHIN)

    told = [explained(ask, case, label, writer) for case, label in zip(cases, verdicts, strict=True)]
    found = honesty([one.text for one in told], cases, verdicts, book=book)
    return Published(
        language=language.value,
        rationales=len(told),
        by_reasoner=float(np.mean([one.by is RationaleBy.REASONER for one in told])),
        retried=sum(len(one.attempts) > 1 for one in told),
        passed=found.passed,
        blind=blind_reading(
            [one.text for one in told], np.array([LABELS.index(label) for label in verdicts]), speakers
        ),
    )


def report_text(report: Report) -> str:
    """The figures as lines of text."""
    parts = [variants_table(report.scores)]
    parts += [f"{what}\n{comparison_table(one)}" for what, one in report.compared.items()]
    parts += [steering_table(report.steering), *map(_published_line, report.published)]
    return "\n\n".join(parts)


def _published_line(one: Published) -> str:
    return (
        f"published rationales, {one.language}: {one.rationales}, {one.passed:.1%} pass the checker; "
        f"{one.by_reasoner:.1%} are the reasoner's own, {one.retried} after a retry; a blind reader tells "
        f"{one.blind.right:.1%} of the verdicts from them (guessing {one.blind.guessing:.1%})"
    )
