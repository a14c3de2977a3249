"""Wall time of live audio: this box's clock at reception, never a camera's or a sound card's."""

from __future__ import annotations

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.audio.arrival import ArrivalLine
from vser_stream.ports import Clock

__all__ = ["ArrivalClock", "wall_time"]


def wall_time(heard: float, *, clock: Clock = SYSTEM_CLOCK) -> float:
    """Wall time of a monotonic one by the clock as it is set now (s)."""
    return clock.wall() - (clock.monotonic() - heard)


class ArrivalClock:
    """Dates the blocks of one opening; they never end after they arrived.

    Args:
        clock: What time it is.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._line, self._clock = ArrivalLine(), clock

    def heard_at(self, start: int, n: int) -> float:
        """Wall time of the first of ``n`` samples from position ``start`` on that arrive now (s)."""
        self._line.feed(start + n, self._clock.monotonic())
        return wall_time(self._line.time_of(start), clock=self._clock)
