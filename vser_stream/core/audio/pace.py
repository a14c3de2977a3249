"""Whether a source delivers about as much audio as time passes."""

from __future__ import annotations

__all__ = ["Pace"]

AHEAD = 20.0
"""Backlog that a source may hand over at once: some keep the last seconds for whoever connects (s)."""

FASTEST = 1.25
"""Audio in a second that no clock explains any more (s)."""


class Pace:
    """A leaky bucket: fills by the audio that comes, empties by the time that passes."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._last: float | None = None

    def allows(self, audio: float, now: float) -> bool:
        """Take so much audio (s) at a monotonic time (s); False once it is more than can be true."""
        if self._last is not None:
            self._ahead = max(0.0, self._ahead - FASTEST * (now - self._last))
        self._last = now
        self._ahead += audio
        return self._ahead <= AHEAD
