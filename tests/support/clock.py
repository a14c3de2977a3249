"""A clock that goes when the test says so."""

from __future__ import annotations

from support.decisions import START

__all__ = ["SetClock"]


class SetClock:
    """Stands at START until it is moved."""

    def __init__(self) -> None:
        self._passed = 0.0

    def wall(self) -> float:
        return START + self._passed

    def monotonic(self) -> float:
        return self._passed

    def forward(self, seconds: float) -> None:
        self._passed += seconds
