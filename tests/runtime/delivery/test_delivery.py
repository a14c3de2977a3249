from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.delivery import STATE, STATUS, Subscriber, alert, connected, deliver, retained, running, until
from support.patience import HANGS

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.runtime.delivery.connection import LONGEST_PAUSE, backoff
from vser_stream.runtime.delivery.delivery import URGENT_PAUSE, Counters

pytestmark = pytest.mark.usefixtures("quiet_loop")


async def test_what_is_put_arrives_and_leaves_the_outbox(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        await delivery.keeper.put(alert("a"))
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
            await delivery.keeper.put(alert(name, priority=priority))
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
        puts = [tasks.create_task(delivery.keeper.put(alert(name))) for name in names]
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
        await delivery.keeper.put(alert("a", priority=2))
        async with asyncio.timeout(HANGS):
            while (await delivery.counters()).failed == 0:  # noqa: ASYNC110 - counters are asked for
                await asyncio.sleep(0.01)
        server.kill()
        server.start()
        await subscriber.until_count(1)
        await delivery.keeper.put(alert("b"))
        assert await subscriber.until_count(2) == ["a", "b"]


async def test_alarms_are_first_then_the_greeting_which_replaces_what_was_said_before(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    outbox.put(retained(STATE, "state of the run before"))
    outbox.put(alert("backlog"))
    outbox.put(alert("panic", priority=2))
    greeting = [retained(STATUS, "online"), retained(STATE, "calm")]
    async with running(deliver(outbox, server, subscriber, greeting=greeting)):
        assert await subscriber.until_count(4) == ["panic", "online", "calm", "backlog"]
        server.stop()
        server.start()
        assert await subscriber.until_count(6) == ["panic", "online", "calm", "backlog", "online", "calm"]


async def test_a_greeting_may_say_two_things_on_one_topic(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    greeting = [retained(STATUS, "online"), retained(STATE, "migrate"), retained(STATE, "calm")]
    async with running(deliver(outbox, server, subscriber, greeting=greeting)):
        assert await subscriber.until_count(3) == ["online", "migrate", "calm"]


async def test_an_urgent_message_is_not_kept_waiting_by_a_long_pause(
    outbox: SqliteOutbox,
    server: Mosquitto,
    subscriber: Subscriber,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vser_stream.runtime.delivery.delivery.backoff", lambda *_, **__: 2 * HANGS)
    delivery = deliver(outbox, server, subscriber)
    server.stop()
    async with running(delivery):
        await until(lambda: "no connection" in caplog.text)
        server.start()  # the next attempt would be in ten minutes
        await subscriber.listening.wait()
        await delivery.keeper.put(alert("panic", priority=2))
        assert await subscriber.until_count(1) == ["panic"]


async def test_a_refused_message_stays_and_does_not_block_the_others(
    tmp_path: Path, outbox: SqliteOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "strict"
    folder.mkdir()
    with Mosquitto(folder, acl=f"topic write {STATE}\ntopic read #\n") as server:
        subscriber = Subscriber(MqttConfig(host=server.host, port=server.port))
        task = asyncio.create_task(subscriber.run())
        await subscriber.listening.wait()
        delivery = deliver(outbox, server, subscriber)
        async with running(delivery):
            await delivery.keeper.put(alert("refused", priority=2))
            await delivery.keeper.put(retained(STATE, "calm"))
            assert await subscriber.until_count(1) == ["calm"]
            while (await delivery.counters()).sent == 0:  # noqa: ASYNC110 - counters are asked for, not told
                await asyncio.sleep(0.01)
            counters = await delivery.counters()
            assert (counters.sent, counters.failed, counters.reconnects, counters.depth) == (1, 1, 0, 1)
        task.cancel()
    assert [m.id for m in outbox] == ["refused"]
    assert [r.levelname for r in caplog.records if r.message.startswith("message refused")] == ["ERROR"]


async def test_while_an_alarm_waits_a_broker_that_is_back_is_noticed_soon(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def at_once(*_: float, longest: float) -> float:
        limits.append(longest)
        return 0.02

    monkeypatch.setattr("vser_stream.runtime.delivery.delivery.backoff", at_once)
    server.stop()
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await until(lambda: len(limits) > 0)
        await delivery.keeper.put(alert("a", priority=2))
        known = len(limits)
        await until(lambda: len(limits) > known + 3)
        later = limits[known + 1 :]
        await asyncio.to_thread(server.start)
        assert await subscriber.until_count(1) == ["a"]
    assert limits[0] == LONGEST_PAUSE
    assert set(later) == {URGENT_PAUSE}


def test_pauses_double_up_to_a_minute_and_are_spread() -> None:
    assert [backoff(n, 0.0) for n in range(10)] == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [backoff(n, 1.0) for n in (1, 4, 1000)] == [0.5, 4.0, 30.0]
