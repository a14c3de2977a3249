"""When audio was heard, told from when it arrived."""

from __future__ import annotations

from vser_stream.values import RATE

__all__ = ["ArrivalLine"]

_WINDOW = 5.0
"""Audio arrives late by scheduling and by the network, never early: the earliest block of this and
the last so long a time tells when all of it was heard (s). A window bounds what drift adds up.
"""


class ArrivalLine:
    """Dates every position of one opening of a source; never later than it arrived.

    Late blocks, such as the backlog after a stall, are dated by the punctual ones before them.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._earliest = self._before = float("inf")

    def feed(self, end: int, arrived: float) -> None:
        """Take a block that ends at position ``end`` (samples) and arrived at a monotonic time (s)."""
        if self._began is None or arrived >= self._began + _WINDOW:
            stale = self._began is None or arrived >= self._began + 2 * _WINDOW
            self._before = float("inf") if stale else self._earliest
            self._began, self._earliest = arrived, float("inf")
        self._earliest = min(self._earliest, arrived - end / RATE)

    def lateness(self, end: int, arrived: float) -> float:
        """How much later than the punctual ones a block ending at ``end`` arrived (s); may be negative."""
        return arrived - self.time_of(end)

    def time_of(self, position: int) -> float:
        """Monotonic time at which the sample at ``position`` was heard (s); feed a block first."""
        return min(self._earliest, self._before) + position / RATE
