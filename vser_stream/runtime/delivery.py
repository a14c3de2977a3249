"""From the outbox to the broker, over one connection after another.

A message is put on the disk, published, and deleted once the broker acknowledged it. Where
the disk is full, read-only or hangs, messages are kept in memory instead and published all
the same: an alarm does not wait for a disk.

All disk work runs in order on one thread of its own. The default executor would do, were it
not shared with whoever blocks in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.errors import MessageRefusedError, OutboxError, PublishError
from vser_stream.ports import Publisher
from vser_stream.values import Message

__all__ = ["Connection", "Counters", "Delivery", "backoff"]

LONGEST_PAUSE = 60.0
"""Between two attempts to connect (s)."""

STABLE = 30.0
"""A connection that lasted this long was a good one: the next attempt is an early one (s)."""

URGENT = 2
"""A message of this priority ends the pause before the next attempt."""

REFUSED_PAUSE = 60.0
"""Before a topic the broker refused is tried again; somebody may have corrected its rules (s)."""

DISK_PATIENCE = 1.0
"""Longest wait for the disk: a healthy flash card commits within some ten milliseconds (s)."""

MEMORY_LIMIT = 1000
"""Messages kept in memory while the disk fails."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Connection(Publisher, Protocol):
    """An open connection to a broker."""

    async def closed(self) -> PublishError:
        """Wait until the connection is lost; return why."""
        ...


@dataclass(frozen=True, slots=True)
class Counters:
    """What delivery did since it was made, and how it stands."""

    connected: bool
    sent: int
    """Messages the broker acknowledged."""

    failed: int
    """Publications it did not; the message was kept."""

    reconnects: int
    """Connections after the first."""

    depth: int
    """Messages that wait."""

    oldest: float
    """Age of the one that waits longest on the disk (s)."""

    expired: int
    """Messages that nobody could use any more."""

    evicted: int
    """Messages dropped because too many waited."""

    unsaved: int
    """Messages the disk did not keep; they were in memory only."""


class Delivery:
    """Run :meth:`run` as a task; end it with :meth:`stop`.

    Args:
        outbox: Where messages wait; closing it stays with the caller, after :meth:`stop`.
        connect: Makes a new connection, opened by ``async with``.
        on_connected: What to publish first on each connection, such as the retained status
            and states. Older waiting messages for the same retained topics are forgotten.
        on_stopping: What to publish last before :meth:`stop` disconnects.
        jitter: A random number from 0 to 1 at each call.
    """

    def __init__(
        self,
        outbox: SqliteOutbox,
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        on_connected: Callable[[], Iterable[Message]] = tuple,
        on_stopping: Callable[[], Iterable[Message]] = tuple,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._connect = connect
        self._on_connected = on_connected
        self._on_stopping = on_stopping
        self._jitter = jitter
        self._memory = SqliteOutbox(None, limit=MEMORY_LIMIT)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._stalled: asyncio.Future[Any] | None = None
        self._disk_fails = False
        # Set by put() and stop(): something to send; something to connect for.
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._refused: dict[str, float] = {}
        self._drain_until: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._over = asyncio.Event()
        self._connected = False
        self._sent = self._failed = self._connections = self._unsaved = 0
        self._depth, self._oldest = 0, 0.0

    async def put(self, message: Message) -> None:
        """Return once the message is kept, on the disk or, where that fails, in memory."""
        try:
            await self._save_held()
            await self._on_disk(partial(self._outbox.put, message))
        except OutboxError as exc:
            self._hold(message, exc)
        else:
            self._disk_fails = False
        finally:
            self.notify(urgent=message.priority >= URGENT)

    def notify(self, *, urgent: bool = False) -> None:
        """Look for messages now; if ``urgent``, connect for them without waiting longer."""
        self._wake.set()
        if urgent:
            self._hurry.set()

    async def counters(self) -> Counters:
        """How delivery stands; depth and age are the last known ones while the disk fails."""
        with contextlib.suppress(OutboxError):
            self._depth = await self._on_disk(self._outbox.__len__)
            self._oldest = await self._on_disk(partial(self._outbox.oldest, time.time()))
        return Counters(
            connected=self._connected,
            sent=self._sent,
            failed=self._failed,
            reconnects=max(0, self._connections - 1),
            depth=self._depth + len(self._memory),
            oldest=self._oldest,
            expired=self._outbox.expired + self._memory.expired,
            evicted=self._outbox.evicted + self._memory.evicted,
            unsaved=self._unsaved,
        )

    async def run(self) -> None:
        """Connect, publish, and connect again, until stopped or cancelled."""
        failures = 0
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                while self._drain_until is None:
                    lasted = await self._use_connection()
                    failures = 0 if lasted >= STABLE else failures + 1
                    await _wait(self._hurry, backoff(failures, self._jitter()))
                    self._hurry.clear()
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = None
            # What was acknowledged is deleted before the caller closes the outbox.
            with contextlib.suppress(OutboxError):
                await self._on_disk(lambda: None)
            self._over.set()

    async def stop(self, deadline: float) -> None:
        """Send what can be sent, say goodbye and disconnect.

        What is left stays in the outbox. Without a connection there is nothing to wait for.

        Args:
            deadline: Longest duration (s), but for the broker's timeout if it has just
                died; half of it is for what waits, the rest for the goodbye.
        """
        now = asyncio.get_running_loop().time()
        self._drain_until = now + deadline / 2
        running = self._limit is not None
        if self._limit is not None:
            self._limit.reschedule(now + deadline if self._connected else now)
        self.notify(urgent=True)
        with contextlib.suppress(OutboxError):
            await self._save_held()
        if running:
            await self._over.wait()

    async def _use_connection(self) -> float:
        """Work over one connection until it is lost; return how long it lasted (s)."""
        loop = asyncio.get_running_loop()
        opened: float | None = None
        try:
            async with self._connect() as connection:
                opened = loop.time()
                self._connections += 1
                self._connected = True
                self._refused.clear()
                await self._serve(connection)
        except PublishError as exc:
            _log.warning("no connection to the broker: error=%s", exc)
        finally:
            self._connected = False
        return 0.0 if opened is None else loop.time() - opened

    async def _serve(self, connection: Connection) -> None:
        lost = asyncio.create_task(connection.closed())
        lost.add_done_callback(lambda _: self._wake.set())
        try:
            for message in self._greeting():
                await self._publish(connection, message)
            await self._drain(connection, lost)
            for message in self._on_stopping():
                await self._publish(connection, message)
        finally:
            lost.cancel()

    def _greeting(self) -> list[Message]:
        messages = list(self._on_connected())
        topics = {message.topic for message in messages if message.retain}
        # Queued before anybody can put a newer message, and before the next one is read.
        self._queue(partial(self._outbox.discard, topics))
        self._memory.discard(topics)
        return messages

    async def _drain(self, connection: Connection, lost: asyncio.Task[PublishError]) -> None:
        """Publish what waits and what comes; return when stopped, raise when ``lost``."""
        loop = asyncio.get_running_loop()
        while self._drain_until is None or loop.time() < self._drain_until:
            self._wake.clear()
            if lost.done():
                raise lost.result()
            message = await self._next()
            if message is not None:
                await self._publish(connection, message)
            elif self._drain_until is not None:
                return
            else:
                await _wait(self._wake, REFUSED_PAUSE)

    async def _publish(self, connection: Connection, message: Message) -> None:
        try:
            await connection.publish(message)
        except MessageRefusedError as exc:
            self._failed += 1
            self._refused[message.topic] = asyncio.get_running_loop().time() + REFUSED_PAUSE
            _log.error("message refused: topic=%s id=%s error=%s", message.topic, message.id, exc)
            return
        except PublishError:
            self._failed += 1
            raise
        self._sent += 1
        self._memory.delete(message.id)
        self._queue(partial(self._outbox.delete, message.id))

    async def _next(self) -> Message | None:
        """The most urgent message that may be sent; at the same priority the disk's is older."""
        clock = asyncio.get_running_loop().time()
        now, skip = time.time(), [topic for topic, until in self._refused.items() if until > clock]
        try:
            saved = await self._on_disk(partial(self._outbox.next, now, skip=skip))
        except OutboxError as exc:
            self._complain(exc)
            saved = None
        waiting = [m for m in (saved, self._memory.next(now, skip=skip)) if m is not None]
        return max(waiting, key=lambda message: message.priority, default=None)

    def _hold(self, message: Message, exc: OutboxError) -> None:
        self._complain(exc)
        self._unsaved += 1
        if message.retain:
            self._queue(partial(self._outbox.discard, {message.topic}))
        self._memory.put(message)

    async def _save_held(self) -> None:
        """Move to the disk what it did not keep before."""
        for message in self._memory:
            await self._on_disk(partial(self._outbox.put, message))
            self._memory.delete(message.id)

    def _complain(self, exc: OutboxError) -> None:
        if not self._disk_fails:
            _log.error("messages are kept in memory only: error=%s", exc)
        self._disk_fails = True

    async def _on_disk(self, call: Callable[[], _T]) -> _T:
        """Run ``call`` on the disk's thread, also to its end when nobody waits any longer.

        Raises:
            OutboxError: The disk failed, or hangs.
        """
        if self._stalled is None or self._stalled.done():
            work = self._queue(call)
            await asyncio.wait({work}, timeout=DISK_PATIENCE)
            if work.done():
                return work.result()
            self._stalled = work
            work.add_done_callback(_seen)
        raise OutboxError("outbox: the disk does not answer; check it for errors")

    def _queue(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._disk, call)


def backoff(failures: int, jitter: float) -> float:
    """Pause before the next attempt (s): 1, 2, 4 ... 60, each shortened by up to a half.

    Args:
        failures: Connections that failed since the last good one.
        jitter: From 0 to 1; spreads boxes that lost the same broker.
    """
    doublings = min(max(0, failures - 1), 6)
    return min(LONGEST_PAUSE, 2.0**doublings) * (1 - jitter / 2)


def _seen(work: asyncio.Future[Any]) -> None:
    """Take note of the outcome nobody waited for; the message is in memory."""
    if not work.cancelled():
        work.exception()


async def _wait(event: asyncio.Event, longest: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            await event.wait()
