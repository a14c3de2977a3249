"""Whether audio was lost on the way from a camera, told from its arrival.

A camera's timestamps may run at another clock, repeat, jitter, jump by hours or stand still while
its audio arrives whole and in real time (all seen in the field): they never decide that something
is missing. What is missing is missing in arrival time too: nothing arrives for a while, and no
backlog makes up for it. Only the exact length is taken from a timestamp, where it agrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vser_stream.core.arrival import ArrivalLine
from vser_stream.values import RATE, Pcm

__all__ = ["Continuity", "Placed"]

_PAUSE = 0.3
"""Arrivals that pause for less are jitter of the network (s)."""

_BACKLOG = 0.4
"""After a pause a backlog comes as fast as the line is; what lacks then is lost (s)."""

JUMP = 0.1
"""Timestamps that jump by more than this say that audio was lost, by less are jitter (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Audio at its position."""

    pcm: Pcm
    start: int
    """Position of the first sample since opening (samples)."""

    heard: float
    """Monotonic time of the first sample, never later than it arrived (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Arrived:
    pcm: Pcm
    at: float
    jump: float


class Continuity:
    """Places the audio of one opening; holds it for a moment after a pause, until it is known why."""

    def __init__(self) -> None:
        self._line = ArrivalLine()
        self._last: float | None = None
        self._end = 0
        self._held: list[_Arrived] = []
        self.contradictions = 0
        """Timestamps that told of a loss that was none."""

    def feed(self, pcm: Pcm, *, arrived: float, jump: float = 0.0) -> list[Placed]:
        """Take the next audio; return what can be placed now, in order.

        Args:
            pcm: 16 kHz mono, shape (n,).
            arrived: Monotonic time (s).
            jump: By how much its timestamp is later than the one before let expect (s).
        """
        part = _Arrived(pcm, arrived, jump)
        paused = self._paused(part)
        self._last = arrived
        if not self._held and not paused:
            return [self._place(part)]
        if self._held and arrived - self._held[0].at >= _BACKLOG:
            placed = self._settle()
            self._held = [part] if paused else []
            return placed if paused else [*placed, self._place(part)]
        self._held.append(part)
        return [] if self._missing() > _PAUSE else self._settle()

    def _paused(self, part: _Arrived) -> bool:
        return self._last is not None and part.at - self._last - len(part.pcm) / RATE > _PAUSE

    def _missing(self) -> float:
        """What lacks although everything held has arrived (s)."""
        end, missing = self._end, float("inf")
        for part in self._held:
            end += len(part.pcm)
            missing = min(missing, self._line.lateness(end, part.at))
        return missing

    def _settle(self) -> list[Placed]:
        """Place what was held, after a gap if there is one."""
        missing, told = self._missing(), self._held[0].jump
        held, self._held = self._held, []
        if missing > _PAUSE:
            self._end += round((told if abs(told - missing) <= _PAUSE else missing) * RATE)
            held[0] = replace(held[0], jump=0.0)
        return [self._place(part) for part in held]

    def _place(self, part: _Arrived) -> Placed:
        if abs(part.jump) > JUMP:
            self.contradictions += 1
        start, self._end = self._end, self._end + len(part.pcm)
        self._line.feed(self._end, part.at)
        return Placed(part.pcm, start, self._line.time_of(start))
