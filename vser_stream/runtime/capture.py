"""Keeps one source open: a thread reads it, the event loop gets its blocks.

The thread never waits for the event loop: when scoring is late the oldest blocks are dropped and
counted, and the jump in positions tells the pipeline of the gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable

from vser_stream.core.messages import CaptureState
from vser_stream.errors import AudioError, CaptureError
from vser_stream.ports import AudioSource
from vser_stream.runtime.delivery import backoff
from vser_stream.values import RATE, Block

__all__ = ["Capture"]

INBOX = 100
"""Blocks that wait for scoring, about 10 s of audio."""

STALL = 10.0
"""Age of the last block from which a source counts as stalled, whatever its library says (s)."""

STABLE = 30.0
"""Audio that long makes a source healthy again: the next outage starts with a short wait (s)."""

_log = logging.getLogger(__name__)


class Capture:
    """The blocks of one source over all its outages.

    Args:
        name: Of the source.
        source: Opened again after each outage.
        on_change: Called in the event loop whenever :attr:`state` changes.
        jitter: A random number from 0 to 1 at each call.
    """

    def __init__(
        self,
        name: str,
        source: AudioSource,
        *,
        on_change: Callable[[], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name, self._source = name, source
        self._on_change = on_change
        self._jitter = jitter
        self._inbox: asyncio.Queue[Block | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self._wakened = asyncio.Event()
        self._began: float | None = None
        self._offset = self._end = 0
        self.state = CaptureState.OPENING
        self.reason: str | None = None
        """Why it is not running."""

        self.restarts = 0
        self.dropped = 0
        """Blocks lost because scoring was late."""

        self.last_block_at: float | None = None
        """Monotonic time of the last block (s)."""

    @property
    def age(self) -> float | None:
        """Age of the last block (s); None before the first."""
        return None if self.last_block_at is None else time.monotonic() - self.last_block_at

    def stop(self) -> None:
        """Let :meth:`blocks` end; the reading thread notices within the source's read timeout."""
        self._stopped.set()
        self._wakened.set()
        self._inbox.put_nowait(None)

    async def blocks(self) -> AsyncIterator[Block | None]:
        """Yield blocks, and None wherever the audio stopped; ends with a recording or :meth:`stop`."""
        failures = 0
        while not self._stopped.is_set():
            self._change(CaptureState.OPENING)
            opened = time.monotonic()
            reading = self._start_thread()
            async for block in self._until_over(reading):
                yield block
            if self._stopped.is_set():
                return
            if (outage := await reading) is None:
                self._change(CaptureState.ENDED)
                return
            stable = self.last_block_at is not None and self.last_block_at - opened >= STABLE
            failures = 1 if stable else failures + 1
            await self._pause(backoff(failures, self._jitter()), outage)

    async def _until_over(self, reading: asyncio.Future[str | None]) -> AsyncIterator[Block | None]:
        """Blocks until the thread has ended or is to be stopped."""
        while not reading.done() or not self._inbox.empty():
            try:
                block = await asyncio.wait_for(self._inbox.get(), STALL)
            except TimeoutError:
                if self.state is not CaptureState.STALLED:
                    self._change(CaptureState.STALLED, f"no audio for {STALL:g} s")
                    yield None
                continue
            if block is None:
                break
            if self.state is not CaptureState.RUNNING:
                self._change(CaptureState.RUNNING)
            yield block
        yield None

    async def _pause(self, wait: float, outage: str) -> None:
        self.restarts += 1
        self._change(CaptureState.BACKOFF, outage)
        _log.warning("source %s lost, trying again in %.1f s: %s", self._name, wait, outage)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wakened.wait(), wait)

    def _change(self, state: CaptureState, reason: str | None = None) -> None:
        self.state, self.reason = state, reason
        self._on_change()

    def _start_thread(self) -> asyncio.Future[str | None]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str | None] = loop.create_future()

        def finish(outage: str | None) -> None:
            if not done.done():
                done.set_result(outage)
            self._inbox.put_nowait(None)

        def read() -> None:
            outage = self._read(lambda block: loop.call_soon_threadsafe(self._deliver, block))
            with contextlib.suppress(RuntimeError):  # the loop was closed before a slow camera let go
                loop.call_soon_threadsafe(finish, outage)

        threading.Thread(target=read, name=f"capture-{self._name}", daemon=True).start()
        return done

    def _read(self, deliver: Callable[[Block], object]) -> str | None:
        """In the thread: read until the end (None) or an outage (why)."""
        try:
            for block in self._source.blocks(self._stopped.is_set):
                deliver(block)
        except (CaptureError, AudioError) as exc:
            return str(exc)
        return None

    def _deliver(self, block: Block) -> None:
        """In the event loop: take a block from the thread."""
        self.last_block_at = time.monotonic()
        if self._inbox.qsize() >= INBOX:
            self._inbox.get_nowait()
            self.dropped += 1
        self._inbox.put_nowait(self._placed(block))

    def _placed(self, block: Block) -> Block:
        """The block at its position since the source was first opened."""
        if self._began is None:
            self._began = block.heard_at - block.start / RATE
        if block.start == 0:
            elapsed = round((block.heard_at - self._began) * RATE)
            self._offset = max(elapsed, self._end + 1) if self._end else 0
        placed = Block(block.pcm, start=block.start + self._offset, heard_at=block.heard_at)
        self._end = placed.end
        return placed
