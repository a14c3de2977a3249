"""From the outbox to the broker, over one connection after another.

A message is put on the disk, published, and deleted once the broker acknowledged it. Where
the disk is full, read-only or hangs, messages are kept in memory instead and published all
the same: an alarm does not wait for a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from vser_stream.adapters.clock import SystemClock
from vser_stream.core.condition import Condition, ConditionName
from vser_stream.core.messages import told_late
from vser_stream.errors import MessageRefusedError, OutboxError, PublishError
from vser_stream.ports import Clock
from vser_stream.runtime.inbox import Connection
from vser_stream.runtime.keeper import Keeper
from vser_stream.values import Memory, Message, Record

__all__ = ["Connection", "Counters", "Delivery", "backoff"]

LONGEST_PAUSE = 60.0
"""Between two attempts to connect (s)."""

STABLE = 30.0
"""A connection that lasted this long was a good one: the next attempt is an early one (s)."""

URGENT = 2
"""A message of this priority ends the pause before the next attempt, and while one waits pauses are short."""

URGENT_PAUSE = 4.0
"""Longest pause while an alarm waits: a broker that is back may not be noticed a minute later (s)."""

REFUSED_PAUSE = 60.0
"""Before a topic the broker refused is tried again; somebody may have corrected its rules (s)."""

AWAY_AFTER = 30.0
"""A broker that restarts is back before that (s)."""

_log = logging.getLogger(__name__)


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
    """Messages the disk did not keep, which were in memory only, and records it lost."""


async def _attend(connection: Connection) -> PublishError:
    return await connection.closed()


class Delivery:
    """Run :meth:`run` as a task; end it with :meth:`stop`.

    Args:
        keeper: Where messages wait; closing it stays with the caller, after :meth:`stop`.
        connect: Makes a new connection, opened by ``async with``.
        on_connected: What to publish first on each connection, such as the retained status
            and states. Older waiting messages for the same retained topics are forgotten.
        on_stopping: What to publish last before :meth:`stop` disconnects.
        attend: What else to do with each connection until it is lost; returns why it was.
        on_refused: Told of a topic the broker does not let us publish on, and why.
        on_sent: Told of each message the broker has acknowledged.
        jitter: A random number from 0 to 1 at each call.
        clock: What time it is.
    """

    def __init__(
        self,
        keeper: Keeper,
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        on_connected: Callable[[], Iterable[Message]] = tuple,
        on_stopping: Callable[[], Iterable[Message]] = tuple,
        attend: Callable[[Connection], Coroutine[Any, Any, PublishError]] = _attend,
        on_refused: Callable[[str, str], object] = lambda *_: None,
        on_sent: Callable[[Message], object] = id,
        jitter: Callable[[], float] = random.random,
        clock: Clock | None = None,
    ) -> None:
        self._keeper, self._clock = keeper, clock or SystemClock()
        self._connect = connect
        self._on_connected = on_connected
        self._on_stopping = on_stopping
        self._attend = attend
        self._on_refused = on_refused
        self._on_sent = on_sent
        self._jitter = jitter
        self._lost_at = self._clock.wall()
        # Set by put() and stop(): something to send; something to connect for.
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._refused: dict[str, float] = {}
        self._drain_until: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._over = asyncio.Event()
        self._connected = False
        self._sent = self._failed = self._connections = 0

    async def put(self, message: Message) -> None:
        """Return once the message is kept, on the disk or, where that fails, in memory."""
        await self.commit((message,))

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Return once all of it is kept, as one, and publish the messages.

        Args:
            messages: Kept in memory where the disk fails.
            memory: Of a source, for after a restart; where the disk fails, tried again later.
            records: Evidence; where the disk fails, it is lost and counted.
        """
        try:
            await self._keeper.commit(messages, memory=memory, records=records)
        finally:
            self.notify(urgent=any(message.priority >= URGENT for message in messages))

    def notify(self, *, urgent: bool = False) -> None:
        """Look for messages now; if ``urgent``, connect for them without waiting longer."""
        self._wake.set()
        if urgent:
            self._hurry.set()

    def conditions(self) -> Iterator[Condition]:
        """What is wrong with the disk and the broker, for whoever reads health, metrics or the log."""
        if (since := self._keeper.fails_since) is not None:
            reason = (
                "messages are kept in memory only; free space on the disk of the state folder, or replace it"
            )
            yield Condition(ConditionName.DISK, "medium", since, reason)
        elif (moved := self._keeper.moved_aside) is not None:
            yield moved
        if not self._connected and self._clock.wall() - self._lost_at >= AWAY_AFTER:
            reason = "the broker cannot be reached, alerts wait on this box; see vser-stream doctor"
            yield Condition(ConditionName.BROKER_AWAY, "medium", self._lost_at, reason)

    async def counters(self) -> Counters:
        """How delivery stands; depth and age are the last known ones while the disk fails."""
        depth, oldest = await self._keeper.depth(self._clock.wall())
        return Counters(
            connected=self._connected,
            sent=self._sent,
            failed=self._failed,
            reconnects=max(0, self._connections - 1),
            depth=depth,
            oldest=oldest,
            expired=self._keeper.expired,
            evicted=self._keeper.evicted,
            unsaved=self._keeper.unsaved,
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
                    longest = URGENT_PAUSE if await self._alarm_waits() else LONGEST_PAUSE
                    await _wait(self._hurry, backoff(failures, self._jitter(), longest=longest))
                    self._hurry.clear()
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = None
            # What was acknowledged is deleted before the caller closes the keeper.
            with contextlib.suppress(OutboxError):
                await self._keeper.settle()
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
            await self._keeper.save()
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
                _log.info("connected to the broker")
                self._refused.clear()
                await self._serve(connection)
        except PublishError as exc:
            _log.warning("no connection to the broker: error=%s", exc)
        finally:
            if self._connected:
                self._connected, self._lost_at = False, self._clock.wall()
        return 0.0 if opened is None else loop.time() - opened

    async def _serve(self, connection: Connection) -> None:
        lost = asyncio.create_task(self._attend(connection))
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
        self._keeper.discard(topics)
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
            await connection.publish(told_late(message, self._clock.wall()))
        except MessageRefusedError as exc:
            self._failed += 1
            self._refused[message.topic] = asyncio.get_running_loop().time() + REFUSED_PAUSE
            _log.error("message refused: topic=%s id=%s error=%s", message.topic, message.id, exc)
            self._on_refused(message.topic, str(exc))
            return
        except PublishError:
            self._failed += 1
            raise
        self._sent += 1
        self._on_sent(message)
        self._keeper.delete(message.id)

    async def _alarm_waits(self) -> bool:
        message = await self._next()
        return message is not None and message.priority >= URGENT

    async def _next(self) -> Message | None:
        """The most urgent message that may be sent."""
        clock = asyncio.get_running_loop().time()
        skip = [topic for topic, until in self._refused.items() if until > clock]
        return await self._keeper.next(self._clock.wall(), skip=skip)


def backoff(failures: int, jitter: float, *, longest: float = LONGEST_PAUSE) -> float:
    """Pause before the next attempt (s): 1, 2, 4 ... ``longest``, each shortened by up to a half.

    Args:
        failures: Connections that failed since the last good one.
        jitter: From 0 to 1; spreads boxes that lost the same broker.
        longest: (s).
    """
    doublings = min(max(0, failures - 1), 6)
    return min(longest, 2.0**doublings) * (1 - jitter / 2)


async def _wait(event: asyncio.Event, longest: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            await event.wait()
