"""A source under its supervisor, and how long each change of its state took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from support.patience import BUSY

from vser_stream.core.audio.capture_state import CaptureState, Patience
from vser_stream.ports import AudioSource
from vser_stream.runtime.source.capture import Capture
from vser_stream.values import Block

__all__ = ["Watched", "watched"]


class Watched:
    """Consumes the blocks of a source and remembers where they lay."""

    def __init__(self, source: AudioSource, *, name: str, patience: Patience | None) -> None:
        self.capture = Capture(name, source, patience=patience)
        self._moved = self.capture.changed
        self.spans: list[tuple[int, int]] = []
        """Start and end of each block (samples)."""

    async def run(self) -> None:
        async for block in self.capture.blocks():
            if isinstance(block, Block):
                self.spans.append((block.start, block.end))
                self._moved.set()

    async def until(self, *states: CaptureState, within: float) -> float:
        """Wait for one of ``states``, ``within`` a time (s) for a quiet box; return how long it took (s)."""
        return await self._until(lambda: self.capture.state in states, within)

    async def until_heard(self, *, within: float) -> float:
        """Wait for the next block; return how long it took (s)."""
        known = len(self.spans)
        return await self._until(lambda: len(self.spans) > known, within)

    async def _until(self, condition: Callable[[], bool], within: float) -> float:
        began = time.monotonic()
        try:
            async with asyncio.timeout(within * BUSY):
                while not condition():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            told = [(change.after.value, change.reason) for change in self.capture.transitions]
            raise AssertionError(f"not within {within * BUSY:g} s; it went {told}") from None
        return time.monotonic() - began


@asynccontextmanager
async def watched(
    source: AudioSource, *, name: str = "bed", patience: Patience | None = None
) -> AsyncIterator[Watched]:
    """Capture ``source`` inside the block."""
    watching = Watched(source, name=name, patience=patience)
    task = asyncio.create_task(watching.run())
    try:
        yield watching
    finally:
        watching.capture.stop()
        await task
