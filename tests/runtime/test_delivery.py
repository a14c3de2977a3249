from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.disk import full_disk

from vser_stream.adapters.mqtt import Broker, MqttPublisher
from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.runtime.delivery import Connection, Counters, Delivery, backoff
from vser_stream.values import Message

STATUS = "vser/v1/home/status"
ALERT = "vser/v1/home/bed/alert"
STATE = "vser/v1/home/bed/state"


def alert(name: str, *, priority: int = 0) -> Message:
    return Message(ALERT, name.encode(), 1, retain=False, id=name, priority=priority)


def retained(topic: str, text: str) -> Message:
    return Message(topic, text.encode(), 1, retain=True, id=f"{text}-{time.monotonic_ns()}")


class Subscriber:
    """Keeps what arrives, over one connection after another."""

    def __init__(self, broker: Broker) -> None:
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
        async with asyncio.timeout(10):
            while not enough(self.payloads):
                self._arrived.clear()
                await self._arrived.wait()
        return self.payloads

    async def until_count(self, count: int) -> list[str]:
        return await self.until(lambda payloads: len(payloads) >= count)


@pytest.fixture(autouse=True)
def nothing_is_left_to_the_event_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"] == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    with SqliteOutbox(path) as outbox:
        yield outbox


@pytest.fixture
async def subscriber(server: Mosquitto) -> AsyncIterator[Subscriber]:
    subscriber = Subscriber(Broker(server.host, server.port))
    task = asyncio.create_task(subscriber.run())
    await subscriber.listening.wait()
    yield subscriber
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def deliver(
    outbox: SqliteOutbox,
    server: Mosquitto,
    subscriber: Subscriber,
    *,
    greeting: Iterable[Message] = (),
    goodbye: Iterable[Message] = (),
) -> Delivery:
    """A delivery that does not publish while the subscriber is away: the broker would not keep it."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        async with MqttPublisher(
            Broker(server.host, server.port, client_id="agent", timeout=0.5)
        ) as connection:
            await subscriber.listening.wait()
            yield connection

    return Delivery(
        outbox, connect, on_connected=lambda: greeting, on_stopping=lambda: goodbye, jitter=lambda: 1.0
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
    async with asyncio.timeout(10):
        while not (await delivery.counters()).connected:  # noqa: ASYNC110 - counters are asked for, not told
            await asyncio.sleep(0.01)


async def test_what_is_put_arrives_and_leaves_the_outbox(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        await delivery.put(alert("a"))
        assert await subscriber.until_count(1) == ["a"]
    assert len(outbox) == 0
    assert await delivery.counters() == Counters(
        connected=False,
        sent=1,
        failed=0,
        reconnects=0,
        depth=0,
        oldest=0.0,
        expired=0,
        evicted=0,
        unsaved=0,
    )


async def test_what_was_put_while_the_broker_was_away_arrives_in_the_order_of_priority(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        server.stop()
        for name, priority in (("a", 0), ("b", 2), ("c", 1), ("d", 2), ("e", 0)):
            await delivery.put(alert(name, priority=priority))
        assert (await delivery.counters()).depth == 5
        server.start()
        assert await subscriber.until_count(5) == ["b", "d", "c", "a", "e"]
        assert (await delivery.counters()).reconnects == 1


async def test_a_broker_killed_mid_stream_loses_nothing(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    names = [str(n) for n in range(200)]
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery), asyncio.TaskGroup() as tasks:
        puts = [tasks.create_task(delivery.put(alert(name))) for name in names]
        for count in (20, 90):
            await subscriber.until_count(count)
            server.kill()
            await asyncio.wait(puts[: count * 2])
            server.start()
        await subscriber.until(lambda payloads: set(payloads) == set(names))
    # Only one in flight at a kill may have been passed on without being acknowledged.
    assert sum(Counter(subscriber.payloads).values()) - len(names) <= 2
    assert len(outbox) == 0


async def test_a_message_in_flight_when_a_frozen_broker_dies_arrives_once(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        server.freeze()
        await delivery.put(alert("a", priority=2))
        async with asyncio.timeout(5):
            while (await delivery.counters()).failed == 0:  # noqa: ASYNC110 - counters are asked for
                await asyncio.sleep(0.01)
        server.kill()
        server.start()
        await subscriber.until_count(1)
        await delivery.put(alert("b"))
        assert await subscriber.until_count(2) == ["a", "b"]


async def test_the_greeting_is_first_and_replaces_what_was_said_before(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    outbox.put(retained(STATE, "state of the run before"))
    outbox.put(alert("backlog", priority=2))
    greeting = [retained(STATUS, "online"), retained(STATE, "calm")]
    async with running(deliver(outbox, server, subscriber, greeting=greeting)):
        assert await subscriber.until_count(3) == ["online", "calm", "backlog"]
        server.stop()
        server.start()
        assert await subscriber.until_count(5) == ["online", "calm", "backlog", "online", "calm"]


async def test_stopping_sends_the_backlog_then_the_goodbye(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber, goodbye=[retained(STATUS, "stopped")])
    async with running(delivery) as task:
        await connected(delivery)
        for name in "abc":
            outbox.put(alert(name))  # nobody notifies
        await delivery.stop(5.0)
        assert task.done()
    assert await subscriber.until_count(4) == ["a", "b", "c", "stopped"]


async def test_stopping_does_not_wait_for_a_broker_that_is_away_or_frozen(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    away = deliver(outbox, server, subscriber)
    server.stop()
    task = asyncio.create_task(away.run())
    await away.put(alert("a"))
    begin = time.monotonic()
    await away.stop(5.0)
    await task
    assert time.monotonic() - begin < 0.5
    server.start()
    frozen = deliver(outbox, server, subscriber)
    task = asyncio.create_task(frozen.run())
    await subscriber.until_count(1)
    server.freeze()
    await frozen.put(alert("b"))
    begin = time.monotonic()
    await frozen.stop(1.0)
    await task
    assert time.monotonic() - begin < 2.5
    assert [m.id for m in outbox] == ["b"]


async def test_stopping_does_not_wait_for_an_opening_that_hangs(
    outbox: SqliteOutbox, server: Mosquitto
) -> None:
    broker = Broker(server.host, server.port, timeout=5.0)
    delivery = Delivery(outbox, lambda: MqttPublisher(broker))
    server.freeze()
    task = asyncio.create_task(delivery.run())
    await asyncio.sleep(0.1)  # it is waiting for an answer now
    begin = time.monotonic()
    await delivery.stop(5.0)
    await task
    assert time.monotonic() - begin < 1.0


async def test_cancelling_loses_nothing(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    names = [f"{n:03}" for n in range(100)]
    for name in names:
        outbox.put(alert(name))
    first = asyncio.create_task(deliver(outbox, server, subscriber).run())
    await subscriber.until_count(10)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    assert len(outbox) > 0
    async with running(deliver(outbox, server, subscriber)):
        await subscriber.until(lambda payloads: set(payloads) == set(names))
    # The one in flight may have arrived without its acknowledgement being awaited.
    assert len(subscriber.payloads) <= len(names) + 1


async def test_the_outbox_may_be_closed_once_delivery_has_ended(
    path: Path, server: Mosquitto, subscriber: Subscriber
) -> None:
    with SqliteOutbox(path) as outbox, closing(sqlite3.connect(path, check_same_thread=False)) as other:
        delivery = deliver(outbox, server, subscriber)
        task = asyncio.create_task(delivery.run())
        await connected(delivery)
        server.freeze()
        await delivery.put(alert("a"))
        await asyncio.sleep(0.05)  # it is in flight now
        other.execute("BEGIN IMMEDIATE")
        saving = asyncio.create_task(delivery.put(alert("b")))
        server.thaw()
        await subscriber.until_count(1)
        await asyncio.sleep(0.05)  # acknowledged; its deletion waits behind "b"
        task.cancel()
        threading.Timer(0.2, other.rollback).start()
        await asyncio.wait({task})
    await saving
    with SqliteOutbox(path) as outbox:
        assert [m.id for m in outbox] == ["b"]


async def test_an_urgent_message_is_not_kept_waiting_by_a_long_pause(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = deliver(outbox, server, subscriber)
    server.stop()
    async with running(delivery):
        async with asyncio.timeout(10):
            while len([r for r in caplog.records if "no connection" in r.message]) < 3:  # noqa: ASYNC110 - logged
                await asyncio.sleep(0.01)
        server.start()  # the next attempt would be in 2 s
        await subscriber.listening.wait()
        begin = time.monotonic()
        await delivery.put(alert("panic", priority=2))
        await subscriber.until_count(1)
        assert time.monotonic() - begin < 0.5


async def test_a_full_disk_delays_nothing_and_what_it_refused_is_saved_later(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = deliver(outbox, server, subscriber)
    outbox.put(alert("before"))
    async with running(delivery):
        await subscriber.until_count(1)
        with full_disk():
            for name in "ab":
                begin = time.monotonic()
                await delivery.put(alert(name, priority=2))
                await subscriber.until(lambda payloads, name=name: name in payloads)  # type: ignore[misc]  # default binds
                assert time.monotonic() - begin < 0.5
            server.freeze()
            await delivery.put(alert("c"))
            await delivery.put(alert("d"))
        assert len(outbox) == 0
        await delivery.put(alert("e"))
        assert [m.id for m in outbox] == ["c", "d", "e"]
        server.thaw()
        await subscriber.until(lambda payloads: payloads[-1] == "e")
        assert (await delivery.counters()).unsaved == 4
    assert sorted(set(subscriber.payloads)) == ["a", "b", "before", "c", "d", "e"]
    assert [r.levelname for r in caplog.records if "kept in memory only" in r.message] == ["ERROR"]


async def test_what_is_in_memory_only_takes_its_place_among_what_is_on_the_disk(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    await delivery.put(alert("a"))
    await delivery.put(retained(STATE, "old state"))
    with full_disk():
        await delivery.put(retained(STATE, "new state"))
        await delivery.put(alert("b", priority=2))
        await delivery.put(alert("c"))
    async with running(delivery):
        assert await subscriber.until_count(4) == ["b", "a", "new state", "c"]


async def test_a_disk_that_hangs_delays_an_urgent_message_by_a_second_and_sends_it_once(
    path: Path, outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # all writers wait
        begin = time.monotonic()
        await delivery.put(alert("a", priority=2))
        await delivery.put(alert("b", priority=2))
        await subscriber.until_count(2)
        assert time.monotonic() - begin < 2.0
        other.execute("ROLLBACK")
        other.close()
        async with asyncio.timeout(10):
            while len(outbox) > 0:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        await delivery.put(alert("c"))
        assert await subscriber.until_count(3) == ["a", "b", "c"]


async def test_a_refused_message_stays_and_does_not_block_the_others(
    tmp_path: Path, outbox: SqliteOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "strict"
    folder.mkdir()
    with Mosquitto(folder, acl=f"topic write {STATE}\ntopic read #\n") as server:
        subscriber = Subscriber(Broker(server.host, server.port))
        task = asyncio.create_task(subscriber.run())
        await subscriber.listening.wait()
        delivery = deliver(outbox, server, subscriber)
        async with running(delivery):
            await delivery.put(alert("refused", priority=2))
            await delivery.put(retained(STATE, "calm"))
            assert await subscriber.until_count(1) == ["calm"]
            counters = await delivery.counters()
            assert (counters.sent, counters.failed, counters.reconnects, counters.depth) == (1, 1, 0, 1)
        task.cancel()
    assert [m.id for m in outbox] == ["refused"]
    assert [r.levelname for r in caplog.records if r.message.startswith("message refused")] == ["ERROR"]


def test_pauses_double_up_to_a_minute_and_are_spread() -> None:
    assert [backoff(n, 0.0) for n in range(10)] == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [backoff(n, 1.0) for n in (1, 4, 1000)] == [0.5, 4.0, 30.0]


AGENT = f"""
import asyncio, signal, sys
from pathlib import Path
from vser_stream.adapters.mqtt import Broker, MqttPublisher
from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.runtime.delivery import Delivery
from vser_stream.values import Message

def status(text):
    return Message("{STATUS}", text.encode(), 1, True, text)

async def main():
    broker = Broker("127.0.0.1", int(sys.argv[1]), client_id="agent")
    with SqliteOutbox(Path(sys.argv[2])) as outbox:
        delivery = Delivery(
            outbox,
            lambda: MqttPublisher(broker, will=status("offline")),
            on_connected=lambda: [status("online")],
            on_stopping=lambda: [status("stopped")],
        )
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        task = asyncio.create_task(delivery.run())
        await stop.wait()
        await delivery.stop(5.0)
        await task

asyncio.run(main())
"""


@pytest.mark.parametrize(("number", "last"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "offline")])
async def test_subscribers_learn_whether_the_agent_was_stopped_or_died(
    server: Mosquitto, subscriber: Subscriber, path: Path, number: signal.Signals, last: str
) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(server.port), str(path), stderr=subprocess.PIPE
    )
    await subscriber.until_count(1)
    agent.send_signal(number)
    _, errors = await agent.communicate()
    assert errors == b""
    await subscriber.until_count(2)
    await asyncio.sleep(0.1)  # a will after "stopped" would come now
    assert subscriber.payloads == ["online", last]
