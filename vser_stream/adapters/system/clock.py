"""The clocks of this box."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["SYSTEM_CLOCK", "RecordingClock", "SystemClock"]


class SystemClock:
    """Implements :class:`vser_stream.ports.Clock`."""

    def wall(self) -> float:
        """Unix time (s)."""
        return time.time()

    def monotonic(self) -> float:
        """Time that only goes on (s)."""
        return time.monotonic()


class RecordingClock:
    """Time in a recording that is heard faster than it lasts; implements :class:`vser_stream.ports.Clock`.

    It stands where the recording was heard to, and goes on from there while somebody is waited for.
    """

    def __init__(self) -> None:
        self._at, self._since, self._ahead = 0.0, time.monotonic(), 0.0

    def heard(self, until: float) -> None:
        """The recording was heard up to there (s); another one begins at 0 again."""
        now = time.monotonic()
        self._ahead += max(0.0, (until - self._at) - (now - self._since))
        self._at, self._since = until, now

    def wall(self) -> float:
        """Time since the recording began (s)."""
        return self._at + time.monotonic() - self._since

    def monotonic(self) -> float:
        """Time that only goes on, with the recording or with a wait that is longer (s)."""
        return self._ahead + time.monotonic()


SYSTEM_CLOCK: Final = SystemClock()
"""What everybody goes by who is given no other."""
