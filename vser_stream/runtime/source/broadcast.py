"""The blocks of one source, for other readers, such as calibration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from vser_stream.values import Block

__all__ = ["Broadcast"]

WAITING = 300
"""Blocks that wait for somebody who listens in, about 30 s of audio."""


class Broadcast:
    """Hands on; nobody who listens in can hold up the source."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Block | None]] = set()

    def send(self, block: Block) -> None:
        """To everybody; an interruption shows in the positions of the blocks."""
        for queue in self._queues:
            _offer(queue, block)

    def end(self) -> None:
        """There is no more."""
        for queue in self._queues:
            _offer(queue, None)

    async def blocks(self) -> AsyncGenerator[Block]:
        """Yield blocks as they come, until the end; close it (``contextlib.aclosing``).

        Whoever is slower than the source loses the oldest ones, and sees the jump in their positions.
        """
        queue: asyncio.Queue[Block | None] = asyncio.Queue(WAITING)
        self._queues.add(queue)
        try:
            while (block := await queue.get()) is not None:
                yield block
        finally:
            self._queues.discard(queue)


def _offer(queue: asyncio.Queue[Block | None], block: Block | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(block)
