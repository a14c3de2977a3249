"""From where messages wait to the broker, over one connection after another.

A message is put on the disk, published, and deleted once the broker acknowledged it. Where
the disk is full, read-only or hangs, messages are kept in memory instead and published all
the same: an alarm does not wait for a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from vser_stream.errors import OutboxError, PublishError
from vser_stream.ports import DeliveryObserver, Presence
from vser_stream.runtime.delivery.connection import LONGEST_PAUSE, STABLE, Connection, backoff, pause
from vser_stream.runtime.delivery.sender import Sender, internal
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.delivery.standing import Standing
from vser_stream.values import Message

__all__ = ["LONGEST_PAUSE", "Connection", "Counters", "Delivery", "Unobserved", "backoff"]

URGENT_PAUSE = 4.0
"""Longest pause while an alarm waits: a broker that is back may not be noticed a minute later (s)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """What delivery did since it was made, and how it stands."""

    connected: bool
    sent: int
    """Messages the broker acknowledged."""

    failed: int
    """Publications not acknowledged; the message stays stored."""

    reconnects: int
    """Connections after the first."""

    depth: int
    """Messages waiting."""

    oldest: float
    """Age of the one that waits longest on the disk (s)."""

    expired: int
    """Messages that nobody could use any more."""

    evicted: int
    """Messages dropped because too many waited."""

    unsaved: int
    """Messages the disk did not keep, which were in memory only, and records it lost."""


class Unobserved:
    """Says nothing of itself, and is told nothing."""

    def greeting(self) -> Iterable[Message]:
        """Nothing."""
        return ()

    def farewell(self) -> Iterable[Message]:
        """Nothing."""
        return ()

    def sent(self, message: Message) -> None:
        """Not interested."""

    def refused(self, topic: str, reason: str) -> None:
        """Not interested."""

    def lost(self, error: PublishError) -> None:
        """Not interested."""


_NOBODY = Unobserved()


# Theory of operation
#
# Delivery is at least once. A message is stored (spool), published with QoS 1, and deleted when the broker
# has acknowledged it. A crash between publishing and deleting publishes it again; its id lets consumers
# deduplicate.
#
#   commit -> Keeper (spool.py)       the disk, or memory while the disk fails; wakes run()
#   run    -> _use_connection         one connection after another, each with a fresh client: a reused one
#                                     sends again what it had already reported as failed
#          -> _serve -> _drain        until the connection is lost: Sender.next, Sender.publish
#   Sender (sender.py)                which message is next: alarms, then what a connection begins with,
#                                     then by age
#   Aside (quarantine.py)             messages at which the broker disconnects, or which it refuses: others
#                                     go first
#   Standing (standing.py)            how the broker behaves: away, throwing us out, taking less than we send
#
# Three invariants:
# 1. An alarm never waits for the disk: a commit that takes too long goes to memory, and delivery sends from
#    there.
# 2. One bad message never blocks the others. A broker that disconnects at it gets it last, alone, and less
#    and less often.
# 3. While an alarm waits, pauses between attempts are short (URGENT_PAUSE); otherwise they back off with
#    jitter, so that a site does not reconnect in step with all others after an outage of the broker.
#
# Commands use a second connection (inbox.py), so that a flood of them cannot delay an alert.
class Delivery:
    """Run :meth:`run` as a task; end it with :meth:`stop`.

    Args:
        keeper: Where messages wait; closing it stays with the caller, after :meth:`stop`. Its clock is used.
        connect: Makes a new connection, opened by ``async with``.
        standing: Where it is noted how the broker treats us.
        presence: What is said first and last on each connection.
        observer: Told what becomes of messages and connections.
        jitter: A random number from 0 to 1 at each call.
    """

    def __init__(
        self,
        keeper: Keeper,
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        standing: Standing | None = None,
        presence: Presence = _NOBODY,
        observer: DeliveryObserver = _NOBODY,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.keeper, self._clock = keeper, keeper.clock
        """Where messages wait."""

        self._connect, self._jitter = connect, jitter
        self.standing = standing or Standing(clock=keeper.clock)
        """How the broker treats us."""

        self._presence, self._observer = presence, observer
        self._sender = Sender(keeper, self.standing, observer=observer, clock=keeper.clock)
        self._drain_until: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._over = asyncio.Event()

    async def counters(self) -> Counters:
        """How delivery stands; depth and age are the last known ones while the disk fails."""
        depth, oldest = await self.keeper.depth(self._clock.wall())
        return Counters(
            connected=self.standing.connected,
            sent=self._sender.sent,
            failed=self._sender.failed,
            reconnects=max(0, self.standing.connections - 1),
            depth=depth,
            oldest=oldest,
            expired=self.keeper.expired,
            evicted=self.keeper.evicted,
            unsaved=self.keeper.unsaved,
        )

    async def run(self) -> None:
        """Connect, publish, and connect again, until stopped or cancelled."""
        failures = 0
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                while self._drain_until is None:
                    lasted = await self._use_connection()
                    failures = 0 if lasted >= STABLE and not self.standing.thrown_out else failures + 1
                    longest = URGENT_PAUSE if await self._sender.alarm_waits() else LONGEST_PAUSE
                    await pause(self.keeper.hurry, backoff(failures, self._jitter(), longest=longest))
                    self.keeper.hurry.clear()
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = None
            # What was acknowledged is deleted before the caller closes the keeper.
            with contextlib.suppress(OutboxError):
                await self.keeper.settle()
            self._over.set()

    async def stop(self, deadline: float) -> None:
        """Send what can be sent, say goodbye and disconnect.

        What is left stays in the outbox. Without a connection there is nothing to wait for.

        Args:
            deadline: Longest duration (s), but for the broker's timeout if it has just
                died; half of it is for what waits, the rest for the goodbye.
        """
        self._drain_until = self._clock.monotonic() + deadline / 2
        running = self._limit is not None
        if self._limit is not None:
            loop = asyncio.get_running_loop()
            self._limit.reschedule(loop.time() + (deadline if self.standing.connected else 0.0))
        self.keeper.notify(urgent=True)
        with contextlib.suppress(OutboxError):
            await self.keeper.save()
        if running:
            await self._over.wait()

    async def _use_connection(self) -> float:
        """Work over one connection until it is lost; return how long it lasted (s)."""
        opened: float | None = None
        try:
            async with self._connect() as connection:
                opened = self._clock.monotonic()
                _log.info("connected to the broker")
                self.standing.opened(connection.limits)
                await self._serve(connection)
        except PublishError as exc:
            self._note_loss(exc, opened=opened is not None)
        except Exception as exc:  # noqa: BLE001 - a bug must cost a connection, not all alerts
            _log.exception("connection to the broker lost by an internal error, connecting again")
            self._note_loss(internal(exc), opened=opened is not None)
        finally:
            self._sender.end()
            self.standing.closed()
        return 0.0 if opened is None else self._clock.monotonic() - opened

    def _note_loss(self, exc: PublishError, *, opened: bool) -> None:
        _log.warning("no connection to the broker: error=%s", exc)
        if opened:
            self._observer.lost(exc)
            self.standing.lost(exc)
        else:
            self.standing.unreachable(exc)

    async def _serve(self, connection: Connection) -> None:
        lost = asyncio.create_task(connection.closed())
        lost.add_done_callback(lambda _: self.keeper.news.set())
        try:
            self._sender.begin(self._presence.greeting())
            await self._drain(connection, lost)
            for message in self._presence.farewell():
                await self._sender.publish(connection, message)
        finally:
            lost.cancel()

    async def _drain(self, connection: Connection, lost: asyncio.Task[PublishError]) -> None:
        """Publish what waits and what comes; return when stopped, raise when ``lost``."""
        news = self.keeper.news
        while self._drain_until is None or self._clock.monotonic() < self._drain_until:
            news.clear()
            if lost.done():
                raise lost.result()
            message = await self._sender.next()
            if message is not None:
                await self._sender.publish(connection, message)
            elif self._drain_until is not None and not news.is_set():
                return  # nothing came while it was looked for
            else:
                await pause(news, self._sender.until_next_try())
