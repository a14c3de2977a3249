"""Keeps one source open: a thread reads it, the event loop gets its blocks.

The thread never waits for the event loop: when scoring is late the oldest blocks are dropped and
counted, and the jump in positions tells the pipeline of the gap. A thread that never comes back
is left behind, so that neither recovery nor the end of the daemon waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.audio.capture_state import (
    CaptureEvent,
    CaptureState,
    CaptureTransition,
    Patience,
    advance,
)
from vser_stream.core.audio.pace import Pace
from vser_stream.core.audio.timeline import Timeline
from vser_stream.errors import AudioError, CaptureError, CaptureRefusedError, VserError
from vser_stream.ports import AudioSource, Clock
from vser_stream.runtime.containment import contained
from vser_stream.values import RATE, Block

__all__ = ["INBOX", "Capture"]

INBOX = 10.0
"""Audio that waits for scoring (s)."""

TURN = RATE // 4
"""Longest piece that is scored at once, so that each source gets its turn (samples)."""

KEPT = 20
"""Transitions that are remembered."""

HANDLING = 10.0
"""Longest time in which whoever gets a block comes back for the next (s)."""

_BREAKS = {CaptureEvent.STALE, CaptureEvent.LOST, CaptureEvent.REFUSED}

_log = logging.getLogger(__name__)


# Theory of operation
#
# Two threads meet here. A *reader* thread opens the source and blocks in whatever library reads it; the
# *event loop* owns everything else. The only thing that crosses is loop.call_soon_threadsafe with a block
# or an ending, so no attribute needs a lock: whatever begins with _deliver or _finish runs in the loop.
#
#   reader thread                         event loop
#   source.blocks() -> pieces -> drain -> _deliver: place on the timeline, queue -> _next -> blocks()
#                    ends or fails ----> _finish: reader.over, its outage -> _until_over ends -> _pause,
#                    next reader
#
# Four rules:
# 1. The reader is never waited for. Too much audio waiting (INBOX) drops the oldest blocks; the positions
#    of those that follow then have a gap, by which the pipeline closes the open utterance.
# 2. A reader may hang for ever. After silence_allowed the state is STALLED; after abandon_after more the
#    reader is left behind (_hanging), which costs one thread. At most most_abandoned of them, then the
#    source is refused.
# 3. A block of a reader that is over, or no longer the current one, is ignored: a camera that comes back
#    after we gave it up must not be heard twice.
# 4. Every wait states when it is due (_due_at): the watchdog asks `overdue` and cannot be fooled by a wait
#    that is meant to be long, such as the pause before another attempt.
#
# States and their transitions are a table in core/audio/capture_state.py; _go alone applies it.
class Capture:
    """The blocks of one source over all its outages.

    Args:
        name: Of the source.
        source: Opened again after each outage.
        patience: How long each wait is.
        jitter: A random number from 0 to 1 at each call.
        clock: What time it is.
    """

    def __init__(
        self,
        name: str,
        source: AudioSource,
        *,
        patience: Patience | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._name, self._source = name, source
        self._patience = patience or Patience()
        self._jitter, self._clock = jitter, clock
        self._inbox: asyncio.Queue[Block | None] = asyncio.Queue()
        self._waiting = 0
        self._stopped = False
        self._wakened = asyncio.Event()
        self._reader: _Reader | None = None
        self._hanging: list[_Reader] = []
        self._timeline = Timeline()
        self._silent_since = self._due_at = clock.monotonic()
        self.changed = asyncio.Event()
        """Set whenever :attr:`state` has changed."""

        self.state = CaptureState.IDLE
        self.reason: str | None = None
        """Why it is not running."""

        self.transitions: deque[CaptureTransition] = deque(maxlen=KEPT)
        """The latest changes of state, oldest first."""

        self.outages = 0
        """Times the audio stopped so far."""

        self.restarts = 0
        """Openings that failed or were lost so far."""

        self.abandoned = 0
        """Readers that were left behind because they hung."""

        self.dropped = 0
        """Blocks lost because scoring was late."""

        self.last_block_at: float | None = None
        """Monotonic time of the last block (s)."""

    @property
    def age(self) -> float | None:
        """Age of the last block (s); None before the first."""
        return None if self.last_block_at is None else self._clock.monotonic() - self.last_block_at

    @property
    def overdue(self) -> float:
        """Time since something was to happen here that did not (s): a block, a retry, an ending."""
        if self.state in {CaptureState.ENDED, CaptureState.IDLE}:
            return 0.0
        return max(0.0, self._clock.monotonic() - self._due_at)

    @property
    def deaf_since(self) -> float | None:
        """Wall time since which nothing is heard that should be (s); None if all is well."""
        if self.state in {CaptureState.RUNNING, CaptureState.ENDED, CaptureState.IDLE}:
            return None
        silence = self._clock.monotonic() - self._silent_since
        lasting = self.state in {CaptureState.STALLED, CaptureState.FAILED}
        return self._clock.wall() - silence if lasting or silence > self._patience.stale_after else None

    @property
    def lost(self) -> int:
        """Audio lost so far, in outages too (samples)."""
        return self._timeline.lost

    @property
    def overruns(self) -> int:
        """Times that audio was lost although the source stayed open."""
        return self._timeline.overruns

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than this box the source counts; None before it is known."""
        return self._timeline.drift.ppm

    def stop(self) -> None:
        """Let :meth:`blocks` end; the reading thread notices within the source's read timeout."""
        self._stopped = True
        if self._reader is not None:
            self._reader.stopped.set()
        self._go(CaptureEvent.STOPPED)
        self._wakened.set()
        self._inbox.put_nowait(None)

    def retry(self) -> None:
        """End a pause now: somebody may have corrected what was wrong."""
        self._wakened.set()

    def interrupt(self, reason: str) -> None:
        """Count as lost what is open now: its audio cannot be used."""
        if self._reader is not None and not self._reader.over:
            self._reader.stopped.set()
            self._hanging.append(self._reader)
            self._finish(self._reader, CaptureError(reason))

    async def blocks(self) -> AsyncIterator[Block | None]:
        """Yield blocks, and None wherever the audio stopped; ends with a recording or :meth:`stop`."""
        failures = 0
        while not self._stopped:
            reader = self._open()
            async for block in self._until_over(reader):
                self._due_at = self._clock.monotonic() + HANDLING
                yield block
            if self._stopped:
                return
            if reader.outage is None:
                self._go(CaptureEvent.FINISHED)
                return
            failures = 1 if reader.heard_for >= self._patience.stable_after else failures + 1
            await self._pause(reader.outage, failures)

    def _open(self) -> _Reader:
        self._hanging = [reader for reader in self._hanging if reader.is_alive()]
        self._reader = reader = _Reader(self._name, self._source, clock=self._clock)
        if len(self._hanging) >= self._patience.most_abandoned:
            words = f"{len(self._hanging)} reader threads of this source hang; restart the service"
            self._finish(reader, CaptureRefusedError(words))
            return reader
        self._go(CaptureEvent.OPENED)
        self._timeline.reopen()
        loop = asyncio.get_running_loop()
        # The loop may be closed before a slow camera lets go: then nobody is left to be told.
        hand_over = partial(_unless_closed, loop.call_soon_threadsafe)
        reader.start(partial(hand_over, self._deliver, reader), partial(hand_over, self._finish, reader))
        return reader

    async def _until_over(self, reader: _Reader) -> AsyncIterator[Block | None]:
        """Blocks until the reader has ended or hangs; ends at a stop too."""
        while not reader.over or not self._inbox.empty():
            try:
                block = await self._next(reader)
            except TimeoutError:
                if self.state is CaptureState.STALLED:
                    self.abandoned += 1
                    self.interrupt("it hangs; check the device or camera")
                    break
                silence = self._patience.silence_allowed(heard=reader.heard_for > 0)
                self._go(CaptureEvent.STALE, f"no audio for {silence:g} s")
                yield None
                continue
            if self._stopped:
                break
            if block is not None:
                self._go(CaptureEvent.HEARD)
                yield block
        yield None

    async def _next(self, reader: _Reader) -> Block | None:
        """What comes next.

        Raises:
            TimeoutError: Nothing came for too long.
        """
        if not self._inbox.empty():
            return self._taken(self._inbox.get_nowait())
        allowed = self._patience.silence_allowed(heard=reader.heard_for > 0)
        if self.state is CaptureState.STALLED:
            allowed += self._patience.abandon_after
        self._due_at = reader.heard_at + allowed
        wait = max(0.0, self._due_at - self._clock.monotonic())
        async with asyncio.timeout(wait):
            return self._taken(await self._inbox.get())

    def _taken(self, item: Block | None) -> Block | None:
        self._waiting -= 0 if item is None else len(item.pcm)
        return item

    async def _pause(self, outage: VserError, failures: int) -> None:
        refused = isinstance(outage, CaptureRefusedError | AudioError)
        wait = self._patience.refused_wait if refused else self._patience.wait(failures, self._jitter())
        self.restarts += 1
        self._go(CaptureEvent.REFUSED if refused else CaptureEvent.LOST, str(outage))
        _log.warning("source %s lost, retrying in %.1f s: %s", self._name, wait, outage)
        self._due_at = self._clock.monotonic() + wait
        self._wakened.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wakened.wait()

    def _go(self, event: CaptureEvent, reason: str | None = None) -> None:
        change = advance(self.state, event, at=self._clock.wall(), reason=reason)
        if change is None:
            return
        self.outages += change.before is CaptureState.RUNNING and change.event in _BREAKS
        if change.after is not CaptureState.OPENING:  # what was wrong stays wrong until it is heard
            self.reason = change.reason
        self.state = change.after
        self.transitions.append(change)
        if change.after is CaptureState.RUNNING:
            _log.info("source %s delivers audio", self._name)
        self.changed.set()

    def _deliver(self, reader: _Reader, block: Block, arrived: float) -> None:
        """In the event loop: take a block from the thread, unless it was left behind."""
        if reader.over or reader is not self._reader:
            return
        reader.heard(arrived)
        self.last_block_at = self._silent_since = arrived
        placed = self._timeline.placed(block, arrived)
        self._waiting += len(placed.pcm)
        self._inbox.put_nowait(placed)
        while self._waiting > INBOX * RATE:
            self._taken(self._inbox.get_nowait())
            self.dropped += 1

    def _finish(self, reader: _Reader, outage: VserError | None) -> None:
        """In the event loop: there is no more to be had from a reader."""
        if not reader.over:
            reader.over, reader.outage = True, outage
            self._inbox.put_nowait(None)


class _Reader:
    """One opening of a source: the thread that opens, reads and closes it."""

    def __init__(self, name: str, source: AudioSource, *, clock: Clock) -> None:
        self._name, self._source, self._clock = name, source, clock
        self._thread: threading.Thread | None = None
        self._opened = self.heard_at = clock.monotonic()
        self.stopped = threading.Event()
        self.over = False
        self.outage: VserError | None = None
        """Why it is over; None at the end of a recording."""

    @property
    def heard_for(self) -> float:
        """Time from opening to the last block (s)."""
        return self.heard_at - self._opened

    def heard(self, at: float) -> None:
        """A block arrived at a monotonic time (s)."""
        self.heard_at = at

    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(
        self, deliver: Callable[[Block, float], object], finish: Callable[[VserError | None], object]
    ) -> None:
        """Read in a thread of its own that tells each block and its arrival, and then the ending."""

        def drain() -> None:
            pace = Pace()
            for block in self._source.blocks(self.stopped.is_set):
                arrived = self._clock.monotonic()
                if not pace.allows(len(block.pcm) / RATE, arrived):
                    raise CaptureError("delivers audio much faster than real time; correct its sampling rate")
                for piece in _pieces(block):
                    deliver(piece, arrived)

        def read() -> None:
            try:
                contained(drain, source=self._name)
            except VserError as exc:
                finish(exc)
            else:
                finish(None)

        # A daemon thread: it may hang in a library for ever, and the process must end all the same.
        self._thread = threading.Thread(target=read, name=f"capture-{self._name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # of the operating system's: no more threads, or no memory for one
            finish(CaptureError("no more threads can be started on this box; stop other programs"))


def _pieces(block: Block) -> Iterator[Block]:
    for offset in range(0, len(block.pcm), TURN):
        pcm = block.pcm[offset : offset + TURN]
        yield Block(pcm, start=block.start + offset, heard_at=block.heard_at + offset / RATE)


def _unless_closed(call: Callable[..., object], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):
        call(*arguments)
