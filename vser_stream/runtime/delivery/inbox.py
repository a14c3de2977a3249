"""What arrives from the broker, and the answers to it, over connections of their own.

What strangers ask for, and where they want their answer, may end a connection: the broker drops who
publishes what it does not take. So alerts have another connection, with another client id, and this
one may be lost as often as anybody likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from vser_stream.adapters.mqtt.client import Received
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.errors import MessageRefusedError, PublishError, SessionTakenError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.connection import LONGEST_PAUSE, STABLE, Connection, backoff, pause
from vser_stream.runtime.delivery.standing import AWAY_AFTER
from vser_stream.values import Message

__all__ = ["CommandLink", "Connection", "Inbox"]

AT_OUR_EXPENSE = 2.0
"""Alerts that lose their connection so soon after this one was opened lost it to this one (s)."""

STAND_BACK, LONGEST_STAND_BACK = 60.0, 3600.0
"""Alerts go first: commands wait so long then, twice as long each time (s)."""

ANSWERS = 100
"""Answers that wait for the broker; more are dropped."""

_log = logging.getLogger(__name__)


class Receiver(Protocol):
    """Takes what arrives."""

    async def receive(self, received: Received) -> Message | None:
        """Act on it; return the answer where one is wanted."""
        ...


class CommandLink:
    """Whether commands can be heard: the inbox notes it, and whoever tells of technical conditions reads it.

    Args:
        clock: What time it is.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self.opened_at: float | None = None
        """Monotonic time since which there is a connection (s); None without one."""

        self.reason = ""
        """Why there was none last."""

        self._lost_at = clock.wall()

    def opened(self) -> None:
        """There is a connection."""
        self.opened_at = self.clock.monotonic()

    def closed(self) -> float:
        """There is none any more; return how long it lasted (s)."""
        if self.opened_at is None:
            return 0.0
        lasted = self.clock.monotonic() - self.opened_at
        self.opened_at, self._lost_at = None, self.clock.wall()
        return lasted

    def conditions(self) -> Iterator[Condition]:
        """What is wrong, for whoever reads health, metrics or the log."""
        if self.opened_at is None and self.clock.wall() - self._lost_at >= AWAY_AFTER:
            reason = f"commands cannot be received, so alarms cannot be acknowledged: {self.reason}"
            yield Condition(ConditionName.COMMANDS_AWAY, "medium", self._lost_at, reason)


class Inbox:
    """Run :meth:`run` as a task; it hands on what arrives, one message after the other.

    Args:
        topics: What to subscribe to on each connection.
        connect: Makes a new connection, opened by ``async with``.
        receiver: Gives the answer, which is published at once and kept nowhere.
        access: Told which topics the broker lets us read.
        link: Where it is noted whether commands can be heard. Its clock is used.
        jitter: A random number from 0 to 1 at each call.
    """

    def __init__(
        self,
        topics: Iterable[str],
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        receiver: Receiver,
        access: Access,
        link: CommandLink | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._topics = tuple(topics)
        self._connect = connect
        self._receiver, self._access = receiver, access
        self._link, self._jitter = link or CommandLink(), jitter
        self._clock = self._link.clock
        self._hurry = asyncio.Event()
        self._in_the_way = 0
        self.stands_back = False
        """Whether it waits, for its connection costs the one for alerts."""

    async def run(self) -> None:
        """Connect and attend, again and again, until cancelled."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            reason = await self._use_connection()
            if reason != self._link.reason:
                _log.warning("no connection for commands: error=%s", reason)
            self._link.reason = reason
            failures = 0 if self._clock.monotonic() - began >= STABLE else failures + 1
            self._hurry.clear()
            if self.stands_back:
                self.stands_back = False
                await asyncio.sleep(
                    min(LONGEST_STAND_BACK, STAND_BACK * 2.0 ** min(self._in_the_way - 1, 10))
                )
            else:
                await pause(self._hurry, backoff(failures, self._jitter(), longest=LONGEST_PAUSE))

    def hurry(self) -> None:
        """The broker is there: connect without waiting longer."""
        self._hurry.set()

    def alerts_lost(self, error: PublishError) -> None:
        """The connection for alerts was lost: stand back if this one was in its way.

        Some brokers take one connection for each user, whatever the client ids.
        """
        opened = self._link.opened_at
        if opened is None or self._clock.monotonic() - opened > AT_OUR_EXPENSE:
            return
        self._in_the_way += 1
        if isinstance(error, SessionTakenError) or self._in_the_way > 1:
            self.stands_back = True
            _log.error("no command connection for now: it disturbs the one for alerts; error=%s", error)

    async def attend(self, connection: Connection) -> PublishError:
        """Subscribe and hand on until the connection is lost; return why."""
        answers: asyncio.Queue[tuple[Received, Message]] = asyncio.Queue(ANSWERS)
        answering = asyncio.create_task(_answer(connection, answers))
        try:
            for topic in self._topics:
                await self._subscribe(connection, topic)
            async for received in connection.received():
                answer = await self._receiver.receive(received)
                # Nobody waits for a slow broker to take an answer: the next command may be of an alarm.
                if answer is not None and not answers.full():
                    answers.put_nowait((received, answer))
            return await connection.closed()
        finally:
            answering.cancel()

    async def _use_connection(self) -> str:
        """Work over one connection until it is lost; return why."""
        try:
            async with self._connect() as connection:
                self._link.opened()
                return str(await self.attend(connection))
        except PublishError as exc:
            return str(exc)
        except Exception as exc:  # noqa: BLE001 - a bug that somebody's message finds must cost no alert
            _log.exception("connection for commands lost by an internal error, connecting again")
            return f"internal error ({type(exc).__name__}); please report the traceback in the log"
        finally:
            if self._link.closed() >= STABLE:
                self._in_the_way = 0  # alerts have borne it

    async def _subscribe(self, connection: Connection, topic: str) -> None:
        try:
            await connection.subscribe(topic)
        except MessageRefusedError as exc:
            self._access.deny(topic, str(exc))
        else:
            self._access.allow(topic)


async def _answer(connection: Connection, answers: asyncio.Queue[tuple[Received, Message]]) -> None:
    """Publish answers until the connection is lost."""
    with contextlib.suppress(PublishError):  # told by whoever reads
        while True:
            received, answer = await answers.get()
            try:
                await connection.answer(received, answer)
            except MessageRefusedError as exc:
                _log.warning("no answer to a command: topic=%.64r error=%s", received.topic, exc)
