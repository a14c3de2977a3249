"""Whether audio was lost on the way from a camera, told from its arrival.

A camera's timestamps may run at another clock, repeat, jitter, jump by hours or stand still while
its audio arrives whole and in real time (all seen in the field): they never decide that something
is missing. What is missing is missing in arrival time too: nothing arrives for a while, and no
backlog makes up for it. Only the exact length is taken from a timestamp, where it agrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vser_stream.core.audio.arrival import ArrivalLine
from vser_stream.values import RATE, Pcm

__all__ = ["Continuity", "Placed"]

_PAUSE = 0.3
"""Arrivals that pause for less are jitter of the network (s)."""

_BACKLOG = 0.4
"""After a pause a backlog makes up for it; what lacks after so long without progress is lost (s)."""

_PROGRESS = 0.02
"""(s)."""

_LONGEST = 2.0
"""Audio is held for no longer: who calls for help is rather cut short than heard late (s)."""

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
        self._held_end = 0
        self._missing = 0.0
        self._progressed = 0.0
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
        if self._held and not self._is_settled(arrived):
            self._hold(part)
            return [] if self._missing > _PAUSE else self._settle()
        placed = self._settle() if self._held else []
        if not paused:
            return [*placed, self._place(part)]
        self._held_end, self._missing = self._end, float("inf")
        self._hold(part)
        return placed if self._missing > _PAUSE else [*placed, *self._settle()]

    def _paused(self, part: _Arrived) -> bool:
        return self._last is not None and part.at - self._last - len(part.pcm) / RATE > _PAUSE

    def _is_settled(self, now: float) -> bool:
        return now - self._progressed >= _BACKLOG or now - self._held[0].at >= _LONGEST

    def _hold(self, part: _Arrived) -> None:
        """Hold audio until it is known whether what lacks before it still comes."""
        self._held.append(part)
        self._held_end += len(part.pcm)
        lateness = self._line.lateness(self._held_end, part.at)
        if lateness < self._missing - _PROGRESS:
            self._progressed = part.at
        self._missing = min(self._missing, lateness)

    def _settle(self) -> list[Placed]:
        """Place what was held, after a gap if there is one."""
        missing, told = self._missing, self._held[0].jump
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
