"""Wall time of live audio: this box's clock at reception, never a camera's or a sound card's."""

from __future__ import annotations

import time

from vser_stream.core.audio.arrival import ArrivalLine

__all__ = ["ArrivalClock", "wall_time"]


def wall_time(heard: float) -> float:
    """Wall time of a monotonic one by the clock as it is set now (s)."""
    return time.time() - (time.monotonic() - heard)


class ArrivalClock:
    """Dates the blocks of one opening; they never end after they arrived."""

    def __init__(self) -> None:
        self._line = ArrivalLine()

    def heard_at(self, start: int, n: int) -> float:
        """Wall time of the first of ``n`` samples from position ``start`` on that arrive now (s)."""
        self._line.feed(start + n, time.monotonic())
        return wall_time(self._line.time_of(start))
