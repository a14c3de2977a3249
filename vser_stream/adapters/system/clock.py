"""The clocks of this box."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["SYSTEM_CLOCK", "SystemClock"]


class SystemClock:
    """Implements :class:`vser_stream.ports.Clock`."""

    def wall(self) -> float:
        """Unix time (s)."""
        return time.time()

    def monotonic(self) -> float:
        """Time that only goes on (s)."""
        return time.monotonic()


SYSTEM_CLOCK: Final = SystemClock()
"""What everybody goes by who is given no other."""
