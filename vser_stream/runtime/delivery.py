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
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from vser_stream.adapters.clock import SystemClock
from vser_stream.core.condition import Condition, ConditionName
from vser_stream.core.messages import in_brief, told_late
from vser_stream.errors import (
    MessageRefusedError,
    MessageUnfitError,
    OutboxError,
    PublishError,
    SessionTakenError,
)
from vser_stream.ports import Clock
from vser_stream.runtime.aside import Aside
from vser_stream.runtime.connection import LONGEST_PAUSE, STABLE, Connection, backoff, pause
from vser_stream.runtime.keeper import Keeper
from vser_stream.values import Memory, Message, Record

__all__ = ["LONGEST_PAUSE", "Connection", "Counters", "Delivery", "backoff"]

URGENT_PAUSE = 4.0
"""Longest pause while an alarm waits: a broker that is back may not be noticed a minute later (s)."""

REFUSED_PAUSE = 60.0
"""Before a topic the broker refused is tried again; somebody may have corrected its rules (s)."""

AWAY_AFTER = 30.0
"""A broker that restarts is back before that (s)."""

SITE_TWICE = (
    "the broker ends each connection soon: another agent uses the same site there; give each box its own, "
    "or look into the broker's log"
)

THROWN_OUT, THROWN_OUT_WITHIN = 3, 600.0
"""A broker that ends so many good connections within such a time (s) does it for somebody else's sake."""

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


class Delivery:
    """Run :meth:`run` as a task; end it with :meth:`stop`.

    Args:
        keeper: Where messages wait; closing it stays with the caller, after :meth:`stop`.
        connect: Makes a new connection, opened by ``async with``.
        on_connected: What to publish first on each connection, such as the retained status
            and states. Older waiting messages for the same retained topics are forgotten.
        on_stopping: What to publish last before :meth:`stop` disconnects.
        on_refused: Told of a topic the broker does not let us publish on, and why.
        on_sent: Told of each message the broker has acknowledged.
        on_lost: Told why a good connection was lost.
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
        on_refused: Callable[[str, str], object] = lambda *_: None,
        on_sent: Callable[[Message], object] = id,
        on_lost: Callable[[PublishError], object] = id,
        jitter: Callable[[], float] = random.random,
        clock: Clock | None = None,
    ) -> None:
        self._keeper, self._clock = keeper, clock or SystemClock()
        self._connect = connect
        self._on_connected = on_connected
        self._on_stopping = on_stopping
        self._on_refused = on_refused
        self._on_sent, self._on_lost = on_sent, on_lost
        self._jitter = jitter
        self._lost_at = self._clock.wall()
        # Set by put() and stop(): something to send; something to connect for.
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()
        self._refused: dict[str, float] = {}
        self._aside = Aside()
        self._greeting: list[Message] = []
        self._taken = 0
        self._thrown_out: deque[float] = deque(maxlen=THROWN_OUT)
        self._lacks: list[Condition] = []
        self._too_long = float("inf")
        self._shortened: Condition | None = None
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
            self.notify(urgent=any(message.is_alarm for message in messages))

    def notify(self, *, urgent: bool = False) -> None:
        """Look for messages now; if ``urgent``, connect for them without waiting longer."""
        self._wake.set()
        if urgent:
            self._hurry.set()

    def conditions(self) -> Iterator[Condition]:
        """What is wrong with the disk and the broker, for whoever reads health, metrics or the log."""
        if (since := self._keeper.fails_since) is not None:
            reason = f"messages are kept in memory only: {self._keeper.failure}"
            yield Condition(ConditionName.DISK, "medium", since, reason)
        elif (moved := self._keeper.moved_aside) is not None:
            yield moved
        if not self._connected and self._clock.wall() - self._lost_at >= AWAY_AFTER:
            reason = "the broker cannot be reached, alerts wait on this box; see vser-stream doctor"
            yield Condition(ConditionName.BROKER_AWAY, "medium", self._lost_at, reason)
        if self.thrown_out:
            yield Condition(ConditionName.SITE_TWICE, "medium", self._thrown_out[0], SITE_TWICE)
        yield from self._lacks
        yield from [self._shortened] if self._shortened else []
        yield from self._aside.conditions()

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._connected

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
                    failures = 0 if lasted >= STABLE and not self.thrown_out else failures + 1
                    longest = URGENT_PAUSE if await self._alarm_waits() else LONGEST_PAUSE
                    await pause(self._hurry, backoff(failures, self._jitter(), longest=longest))
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
                self._begin(connection)
                await self._serve(connection)
        except PublishError as exc:
            self._note_loss(exc, opened=opened is not None)
        except Exception as exc:  # noqa: BLE001 - a bug must cost a connection, not all alerts
            _log.exception("connection to the broker given up")
            self._note_loss(_internal(exc), opened=opened is not None)
        finally:
            self._greeting = []
            if self._connected:
                self._connected, self._lost_at = False, self._clock.wall()
        return 0.0 if opened is None else loop.time() - opened

    def _begin(self, connection: Connection) -> None:
        self._connections += 1
        self._connected = True
        _log.info("connected to the broker")
        self._taken = 0
        self._refused.clear()
        self._aside.connected()
        self._shortened = self._shortened if self._too_long < float("inf") else None
        known = {one.reason: one for one in self._lacks}
        lacks = [f"the broker {one}" for one in connection.limits.lacks()]
        self._lacks = [
            known.get(one) or Condition(ConditionName.BROKER_LIMITS, "low", self._clock.wall(), one)
            for one in lacks
        ]
        for one in self._lacks:
            if one.reason not in known:
                _log.warning("%s: %s", one.name, one.reason)

    def _note_loss(self, exc: PublishError, *, opened: bool) -> None:
        _log.warning("no connection to the broker: error=%s", exc)
        if not opened:
            if exc.code is None:  # it was away, so it threw nobody out, and is perhaps another one now
                self._thrown_out.clear()
                self._too_long = float("inf")
            return
        self._on_lost(exc)
        if isinstance(exc, SessionTakenError) or exc.hung_up:
            before = self.thrown_out
            self._thrown_out.append(self._clock.wall())
            if self.thrown_out and not before:
                _log.error("%s: %s", ConditionName.SITE_TWICE, SITE_TWICE)

    @property
    def thrown_out(self) -> bool:
        """Whether the broker ended several good connections lately."""
        thrown = self._thrown_out
        return len(thrown) == THROWN_OUT and self._clock.wall() - thrown[0] <= THROWN_OUT_WITHIN

    async def _serve(self, connection: Connection) -> None:
        lost = asyncio.create_task(connection.closed())
        lost.add_done_callback(lambda _: self._wake.set())
        try:
            self._greeting = self._greet()
            await self._drain(connection, lost)
            for message in self._on_stopping():
                await self._publish(connection, message)
        finally:
            lost.cancel()

    def _greet(self) -> list[Message]:
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
            elif self._drain_until is not None and not self._wake.is_set():
                return  # nothing came while it was looked for
            else:
                now = loop.time()
                await pause(self._wake, min(REFUSED_PAUSE, self._aside.next_try(now) - now))

    async def _publish(self, connection: Connection, message: Message) -> None:
        now = asyncio.get_running_loop().time()
        # Part of the greeting that was set aside must not come after what is newer on its topic.
        before, after = _parted(self._greeting, message)
        self._greeting = [*before, *after]
        try:
            await self._hand_over(connection, message)
        except MessageUnfitError as exc:
            self._failed += 1
            self._aside.unfit(message, str(exc), now=now, wall=self._clock.wall())
        except MessageRefusedError as exc:
            self._failed += 1
            self._refused[message.topic] = now + REFUSED_PAUSE
            _log.error("message refused: topic=%s id=%s error=%s", message.topic, message.id, exc)
            self._on_refused(message.topic, str(exc))
        except Exception as exc:  # a bug that one message finds must not stop all behind it
            self._failed += 1
            error = exc if isinstance(exc, PublishError) else _internal(exc)
            brief = in_brief(message) is not None
            self._aside.strike(
                message, error, took_others=self._taken > 0, in_brief=brief, now=now, wall=self._clock.wall()
            )
            raise
        else:
            self._greeting = [*(one for one in before if one.topic != message.topic), *after]
            self._note_sent(message)

    async def _hand_over(self, connection: Connection, message: Message) -> None:
        """Publish a message, in brief where the broker is known not to take it whole."""
        whole = told_late(message, self._clock.wall())
        proven = self._aside.proven(message)
        brief = in_brief(whole) if proven or len(whole.payload) >= self._too_long else None
        reason = "it ended the connection over whole ones"
        if brief is None:
            try:
                await connection.publish(whole)
            except MessageUnfitError as exc:
                brief = in_brief(whole)
                if brief is None or len(brief.payload) >= len(whole.payload):
                    raise
                reason = str(exc)
            else:
                return
        await connection.publish(brief)
        if proven:
            self._too_long = min(self._too_long, len(whole.payload))
        if self._shortened is None:
            told = f"the broker does not take large messages, so they are shortened: {reason}"
            _log.warning("%s: %s", ConditionName.BROKER_LIMITS, told)
            self._shortened = Condition(ConditionName.BROKER_LIMITS, "low", self._clock.wall(), told)

    def _note_sent(self, message: Message) -> None:
        self._sent += 1
        self._taken += 1
        self._aside.taken(message)
        self._on_sent(message)
        self._keeper.delete(message.id)

    async def _alarm_waits(self) -> bool:
        return _is_urgent(await self._keeper.next(self._clock.wall(), skip=self._refused_now()))

    async def _next(self) -> Message | None:
        """What may be sent next: alarms, the greeting, all else; last what the broker may not take.

        An alarm that was on its way when a connection ended goes second: the broker may have died of
        it, but far more often it just died.
        """
        clock = asyncio.get_running_loop().time()
        refused = self._refused_now()
        behind = refused | self._aside.all()
        waiting = await self._keeper.next(self._clock.wall(), skip=behind)
        if _is_urgent(waiting):
            return waiting
        if self._taken and behind != refused:
            suspected = await self._keeper.next(
                self._clock.wall(), skip=refused | self._aside.hopeless(clock)
            )
            if _is_urgent(suspected):
                return suspected
        other = self._first_of_greeting(behind) or waiting
        if other or behind == refused:
            return other
        resting = refused | self._aside.resting(clock)
        return await self._keeper.next(self._clock.wall(), skip=resting) or self._first_of_greeting(resting)

    def _refused_now(self) -> set[str]:
        """Topics the broker refused lately."""
        now = asyncio.get_running_loop().time()
        return {topic for topic, until in self._refused.items() if until > now}

    def _first_of_greeting(self, skip: Collection[str]) -> Message | None:
        fit = (one for one in self._greeting if one.topic not in skip and one.id not in skip)
        return next(fit, None)


def _is_urgent(message: Message | None) -> bool:
    return message is not None and message.is_alarm


def _internal(exc: Exception) -> PublishError:
    return PublishError(f"internal error ({type(exc).__name__})")


def _parted(messages: Sequence[Message], by: Message) -> tuple[list[Message], list[Message]]:
    """What comes before a message and what after it; all comes before one that is not among them."""
    ids = [one.id for one in messages]
    place = ids.index(by.id) if by.id in ids else len(ids)
    return list(messages[:place]), list(messages[place + 1 :])
