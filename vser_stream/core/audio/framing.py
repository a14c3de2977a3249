"""Blocks of any length in, frames of 30 ms out."""

from __future__ import annotations

import numpy as np

from vser_stream.values import FRAME, RATE, Block, Frame, Pcm

__all__ = ["Framer"]


class Framer:
    """Cuts a stream of blocks into frames, wherever the blocks were cut.

    A block that does not start where the last one ended follows a gap: the unfinished frame
    before it is dropped, and the next frame says so. A frame takes its wall time from the block
    that completed it, so that it follows a clock that was set, and never ends after that block.
    """

    def __init__(self) -> None:
        self._rest: Pcm = np.empty(0, np.int16)
        self._next: int | None = None
        self._gap = False

    def feed(self, block: Block) -> list[Frame]:
        """Take one block; return the frames it completed."""
        if block.start != self._next:
            self._gap = self._gap or self._next is not None
            self._rest = self._rest[:0]
        self._next = block.end
        first = block.start - len(self._rest)
        pcm = np.concatenate([self._rest, block.pcm])
        whole = len(pcm) - len(pcm) % FRAME
        frames = [
            self._frame(pcm[offset : offset + FRAME], first + offset, block)
            for offset in range(0, whole, FRAME)
        ]
        self._rest = pcm[whole:].copy()
        return frames

    def _frame(self, pcm: Pcm, start: int, block: Block) -> Frame:
        heard_at = block.heard_at + (start - block.start) / RATE
        frame = Frame(pcm=pcm, start=start, heard_at=heard_at, after_gap=self._gap)
        self._gap = False
        return frame
