"""Blocks of any length in, frames of 30 ms out."""

from __future__ import annotations

import numpy as np

from vser_stream.values import FRAME, RATE, Block, Frame, Pcm

__all__ = ["Framer"]


class Framer:
    """Cuts a stream of blocks into frames, wherever the blocks were cut.

    A block that does not start where the last one ended follows a gap: the unfinished frame
    before it is dropped, and the next frame says so.
    """

    def __init__(self) -> None:
        self._rest: Pcm = np.empty(0, np.int16)
        self._start = 0
        self._heard_at = 0.0
        self._next: int | None = None
        self._gap = False

    def feed(self, block: Block) -> list[Frame]:
        """Take one block; return the frames it completed."""
        if block.start != self._next:
            self._gap = self._gap or self._next is not None
            self._rest = self._rest[:0]
        if not len(self._rest):
            self._start, self._heard_at = block.start, block.heard_at
        self._next = block.end
        pcm = np.concatenate([self._rest, block.pcm])
        whole = len(pcm) - len(pcm) % FRAME
        frames = [self._frame(pcm[offset : offset + FRAME], offset) for offset in range(0, whole, FRAME)]
        self._rest = pcm[whole:].copy()
        self._start += whole
        self._heard_at += whole / RATE
        return frames

    def _frame(self, pcm: Pcm, offset: int) -> Frame:
        frame = Frame(
            pcm=pcm,
            start=self._start + offset,
            heard_at=self._heard_at + offset / RATE,
            after_gap=self._gap,
        )
        self._gap = False
        return frame
