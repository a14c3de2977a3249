"""Delivery on a real broker, and somebody who listens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager

from support.broker import Mosquitto
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import MqttConfig
from vser_stream.core.technical_condition import Condition
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.delivery import Connection, Delivery, Unobserved
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.values import Message

__all__ = [
    "ALERT",
    "STATE",
    "STATUS",
    "Saying",
    "Subscriber",
    "alert",
    "conditions_of",
    "connected",
    "deliver",
    "listening",
    "retained",
    "running",
    "until",
]

STATUS = "vser/v1/home/status"


ALERT = "vser/v1/home/bed/alert"


STATE = "vser/v1/home/bed/state"


def alert(name: str, *, priority: int = 0) -> Message:
    return Message(ALERT, name.encode(), 1, retain=False, id=name, priority=priority)


def retained(topic: str, text: str) -> Message:
    return Message(topic, text.encode(), 1, retain=True, id=f"{text}-{time.monotonic_ns()}")


class Subscriber:
    """Keeps what arrives, over one connection after another."""

    def __init__(self, broker: MqttConfig) -> None:
        self.payloads: list[str] = []
        self.listening = asyncio.Event()
        self._broker = broker
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                async with MqttPublisher(self._broker) as connection:
                    await connection.subscribe("#")
                    self.listening.set()
                    async for message in connection.received():
                        self.payloads.append(message.payload.decode())
                        self._arrived.set()
            self.listening.clear()
            await asyncio.sleep(0.02)

    async def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(HANGS):
            while not enough(self.payloads):
                self._arrived.clear()
                await self._arrived.wait()
        return self.payloads

    async def until_heard(self, payload: str) -> list[str]:
        return await self.until(lambda payloads: payload in payloads)

    async def until_count(self, count: int) -> list[str]:
        return await self.until(lambda payloads: len(payloads) >= count)


@asynccontextmanager
async def listening(server: Mosquitto) -> AsyncIterator[Subscriber]:
    """Somebody who hears everything on ``server``."""
    subscriber = Subscriber(MqttConfig(host=server.host, port=server.port))
    task = asyncio.create_task(subscriber.run())
    await subscriber.listening.wait()
    yield subscriber
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Saying(Unobserved):
    """Says the same on each connection."""

    def __init__(self, greeting: Iterable[Message] = (), farewell: Iterable[Message] = ()) -> None:
        self._greeting, self._farewell = greeting, farewell

    def greeting(self) -> Iterable[Message]:
        return self._greeting

    def farewell(self) -> Iterable[Message]:
        return self._farewell


def conditions_of(delivery: Delivery) -> Iterator[Condition]:
    """What is wrong with the disk and the broker."""
    yield from delivery.keeper.conditions()
    yield from delivery.standing.conditions()


def deliver(
    outbox: SqliteOutbox,
    server: Mosquitto,
    subscriber: Subscriber,
    *,
    greeting: Iterable[Message] = (),
    goodbye: Iterable[Message] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> Delivery:
    """A delivery that does not publish while the subscriber is away: the broker would not keep it."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        async with MqttPublisher(
            MqttConfig(host=server.host, port=server.port, timeout=0.5), client_id="agent"
        ) as connection:
            await subscriber.listening.wait()
            yield connection

    return Delivery(
        Keeper(outbox, clock=clock), connect, presence=Saying(greeting, goodbye), jitter=lambda: 1.0
    )


@asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(delivery.run())
    try:
        yield task
    finally:
        await delivery.stop(2.0)
        await asyncio.wait({task})


async def connected(delivery: Delivery) -> None:
    async with asyncio.timeout(HANGS):
        while not (await delivery.counters()).connected:  # noqa: ASYNC110 - counters are asked for, not told
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANGS):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)
