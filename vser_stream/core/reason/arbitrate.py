"""An ambiguous decision, from the case that is made of it to what the reasoner makes of the case."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial

from vser_stream.core.reason.case import case_of
from vser_stream.core.reason.fuse import amended, explained, resolve
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ReasonerError
from vser_stream.ports import Reasoner
from vser_stream.values import Case, DecidedBy, Decision, Label

__all__ = ["PATIENCE", "RECENT", "History", "left_to_svm", "weigh"]

PATIENCE = 60.0
"""For each answer where nobody waits for an alarm (s)."""

RECENT = 4
"""Earlier utterances that are told."""


class History:
    """Makes the cases of one source, which remember what it sounded like before."""

    def __init__(self) -> None:
        self._recent: deque[Label] = deque(maxlen=RECENT)

    def case(self, decision: Decision, book: RuleBook) -> Case:
        """Return the case of an utterance, and remember its label; call it for each in order."""
        case = case_of(decision, book, second=decision.second, recent=self._recent)
        self._recent.append(decision.label)
        return case


def weigh(
    reasoner: Reasoner,
    decision: Decision,
    case: Case,
    writer: Writer,
    *,
    within: float = PATIENCE,
) -> Decision:
    """Let a reasoner answer before anything else happens, each question ``within`` seconds.

    Args:
        reasoner: Whom to ask.
        decision: What is ambiguous.
        case: Made of it.
        writer: Writes rationales under the rules of now.
        within: For each question (s).
    """
    try:
        verdict = reasoner.judge(case, within=within)
    except ReasonerError:
        return left_to_svm(decision)
    resolved = resolve(decision, case, verdict, writer)
    explanation = explained(partial(reasoner.explain, within=within), case, resolved.label, writer)
    return amended(resolved, explanation)


def left_to_svm(decision: Decision) -> Decision:
    """Return a decision the reasoner had no part in though it was meant to."""
    return replace(decision, decided_by=DecidedBy.FALLBACK)
