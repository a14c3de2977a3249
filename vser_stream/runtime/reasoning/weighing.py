"""What becomes of the utterances of one source once the classifier has judged them, live or in a replay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from vser_stream.core.reason.arbitrate import History
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.values import Case, DecidedBy, Decision

__all__ = ["Amend", "Settle", "Weighing"]

Amend = Callable[[Decision], Awaitable[object]]
"""Lets the alarm take a second verdict."""

Settle = Callable[[Amend], Awaitable[Decision]]
"""Settles an utterance, in its own time."""


class Weighing:
    """Lets the ambiguous utterances of one source be weighed again.

    Args:
        escalation: Where they go; None to let the SVM decide.
    """

    def __init__(self, escalation: Escalation | None) -> None:
        self._escalation = escalation
        self._history = History()

    def begin(self, decision: Decision) -> Settle | None:
        """Take note of an utterance; call it for each, in order.

        Returns:
            What settles it; None where it is settled as it is.
        """
        if self._escalation is None:
            return None
        case = self._history.case(decision, self._escalation.book)
        return partial(_settled, self._escalation, decision, case) if decision.escalated else None


async def _settled(escalation: Escalation, decision: Decision, case: Case, amend: Amend) -> Decision:
    settled = await escalation.weigh(decision, case, early=amend)
    if settled.decided_by is DecidedBy.LLM:
        await amend(settled)
    return settled
