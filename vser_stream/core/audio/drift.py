"""The sample counter of a source against the clock of this box."""

from __future__ import annotations

from vser_stream.values import RATE

__all__ = ["ClockDrift"]

_WINDOW = 10.0
"""Arrivals are late by scheduling, never early: the earliest of so long a time tells (s)."""

_SETTLED = 5.0
"""A source may send some audio ahead when it opens (s)."""

_LEAST = 60.0
"""Between two windows; shorter, the rest of the jitter weighs more than 50 ppm (s)."""


class ClockDrift:
    """Measures how much faster or slower than this box one opening of a source counts seconds."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._window_ends = 0.0
        self._earliest: tuple[float, float] | None = None
        self._first: tuple[float, float] | None = None
        self.ppm: float | None = None
        """Positive if the source is fast; None before it has been heard for a minute."""

    def feed(self, end: int, arrived: float) -> None:
        """Take a block that ends at position ``end`` (samples) and arrived at a monotonic time (s)."""
        if self._began is None:
            self._began = arrived
            self._window_ends = arrived + _SETTLED + _WINDOW
        if arrived < self._began + _SETTLED:
            return
        if arrived >= self._window_ends:
            self._close()
            self._window_ends = arrived + _WINDOW
        lag = arrived - end / RATE
        if self._earliest is None or lag < self._earliest[1]:
            self._earliest = (arrived, lag)

    def _close(self) -> None:
        if self._earliest is None:
            return
        if self._first is None:
            self._first = self._earliest
        elapsed = self._earliest[0] - self._first[0]
        if elapsed >= _LEAST:
            self.ppm = 1e6 * (self._first[1] - self._earliest[1]) / elapsed
        self._earliest = None
