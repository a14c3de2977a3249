"""The SVM and the reasoner decide together, and no word is published that was not checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from vser_stream.core.reason.case import ids_for
from vser_stream.core.reason.verify import Verification, check
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ReasonerError
from vser_stream.values import LABELS, Case, DecidedBy, Decision, Label, Probabilities, RationaleBy

__all__ = ["Explanation", "amended", "explained", "fuse", "resolve"]

_TRIES = 2
"""A reasoner may try once more; then the evidence speaks for itself."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rationale that was checked, and how it came about."""

    text: str
    by: RationaleBy

    attempts: tuple[Verification, ...]
    """What each answer of the reasoner was worth."""

    error: str | None = None
    """Why the reasoner gave no answer, if it gave none."""


def fuse(svm: Probabilities, reasoner: Probabilities) -> Probabilities:
    """Return the normalised square root of the product: where one is sure the other is wrong, both doubt.

    A reasoner weighs how somebody speaks; whether it is such speech at all, the SVM says alone.
    """
    products = [
        math.sqrt(share * reasoner.of(label)) for share, label in zip(svm.spoken, LABELS, strict=True)
    ]
    total = sum(products)
    if not 0.0 < total < math.inf:
        return svm
    left = sum(svm.spoken) / total
    return Probabilities.folded([*(left * product for product in products), svm.other, svm.wordless])


def resolve(decision: Decision, case: Case, verdict: Probabilities, writer: Writer) -> Decision:
    """Return an ambiguous decision as the SVM and the reasoner's ``verdict`` have it together.

    Its rationale is written from the evidence until the reasoner's own has been checked.
    """
    together = fuse(decision.probabilities, verdict)
    return replace(
        decision,
        label=together.top,
        probabilities=together,
        decided_by=DecidedBy.LLM,
        rationale=writer.write(case, together.top),
        rules=ids_for(case, together.top),
        rationale_by=RationaleBy.EVIDENCE,
    )


def explained(ask: Callable[[Case, Label], str], case: Case, label: Label, writer: Writer) -> Explanation:
    """Ask for a rationale and check it; once more if it is false, then write it from the evidence."""
    attempts: list[Verification] = []
    try:
        for _ in range(_TRIES):
            text = ask(case, label)
            attempts.append(check(text, case, label, book=writer.book))
            if attempts[-1].passed:
                return Explanation(text=text, by=RationaleBy.REASONER, attempts=tuple(attempts))
        error = None
    except ReasonerError as exc:
        error = str(exc)
    written = writer.write(case, label)
    return Explanation(text=written, by=RationaleBy.EVIDENCE, attempts=tuple(attempts), error=error)


def amended(decision: Decision, explanation: Explanation) -> Decision:
    """Return a decision with its rationale in other words."""
    return replace(decision, rationale=explanation.text, rationale_by=explanation.by)
