"""Positions of one source over all its openings."""

from __future__ import annotations

from vser_stream.core.audio.drift import ClockDrift
from vser_stream.values import RATE, Block

__all__ = ["Timeline"]


class Timeline:
    """Positions since the source was first opened, and what was lost between them.

    What an outage lost is told by the monotonic clock: the wall clock may be set meanwhile.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._offset = self._end = 0
        self._reopened = False
        self.drift = ClockDrift()
        """Of the current opening."""

        self.lost = 0
        """Audio lost so far, in outages too (samples)."""

        self.overruns = 0
        """Times that audio was lost although the source stayed open."""

    def reopen(self) -> None:
        """The next block is the first of another opening."""
        self._reopened = True

    def placed(self, block: Block, arrived: float) -> Block:
        """Return the block at its position since the source was first opened.

        Args:
            block: At its position since this opening.
            arrived: Monotonic time at which it was complete (s).
        """
        heard = arrived - len(block.pcm) / RATE
        if self._began is None:
            self._began = heard - block.start / RATE
        elif self._reopened:
            elapsed = round((heard - self._began) * RATE)
            self._offset = max(elapsed, self._end + 1) - block.start
            self.drift = ClockDrift()
        placed = Block(block.pcm, start=block.start + self._offset, heard_at=block.heard_at)
        self.overruns += placed.start != self._end and not self._reopened
        self.lost += placed.start - self._end if self._end else 0
        self._reopened, self._end = False, placed.end
        self.drift.feed(block.end, arrived)
        return placed
