"""A circuit breaker: what failed is left alone for a while, then tried with one question.

The state is a value and every change a function of it and the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Breaker", "BreakerState"]

FAILURES = 3
"""In a row that open it: one slow answer is no reason to do without."""

SHORTEST, LONGEST = 1.0, 300.0
"""Times it stays open; each is twice the last (s)."""


class BreakerState(StrEnum):
    """Whether questions are asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What it remembers."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """In a row."""

    until: float = 0.0
    """When it may be tried again (s)."""

    opened: int = 0
    """Times it was opened since an answer came."""

    def failed(self, now: float, *, broken: bool = False) -> Breaker:
        """Take a failure; ``broken`` opens it at once, as does any while it is being tried."""
        failures = self.failures + 1
        if not (broken or failures >= FAILURES or self.state is not BreakerState.CLOSED):
            return replace(self, failures=failures)
        rest = min(SHORTEST * 2.0**self.opened, LONGEST)
        return Breaker(BreakerState.OPEN, failures, now + rest, self.opened + 1)

    def prepared(self) -> Breaker:
        """It is ready again: the next question shows whether it answers."""
        return replace(self, state=BreakerState.HALF_OPEN)

    def answered(self) -> Breaker:
        """All is well."""
        return Breaker()
