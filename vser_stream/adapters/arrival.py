"""When live audio was heard, told from when it arrived."""

from __future__ import annotations

import time

from vser_stream.values import RATE

__all__ = ["ArrivalClock"]

_BURST = 5.0
"""Longest backlog a source hands over at once; further back, the wall clock was set (s)."""


class ArrivalClock:
    """Dates blocks by the wall clock at arrival, never backwards from one block to the next."""

    def __init__(self) -> None:
        self._last = 0.0

    def heard_at(self, n: int) -> float:
        """Wall time of the first of ``n`` samples that arrive now (s)."""
        heard_at = time.time() - n / RATE
        if 0.0 < self._last - heard_at < _BURST:
            heard_at = self._last
        self._last = heard_at
        return heard_at
