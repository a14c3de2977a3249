"""A clock that goes when the test says so."""

from __future__ import annotations

import threading

from support.decisions import START

__all__ = ["SetClock"]


class SetClock:
    """Stands at START until it is moved, from any thread."""

    def __init__(self) -> None:
        self._passed, self._ahead, self._moving = 0.0, 0.0, threading.Lock()

    def wall(self) -> float:
        return START + self._passed + self._ahead

    def monotonic(self) -> float:
        return self._passed

    def forward(self, seconds: float) -> None:
        with self._moving:
            self._passed += seconds

    def set_forward(self, seconds: float) -> None:
        """Somebody sets the clock on the wall; no time passes."""
        self._ahead += seconds
