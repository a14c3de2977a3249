"""Whatever a broker does not take, alerts get through, and somebody is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.decisions import decision
from support.delivery import (
    ALERT,
    STATE,
    STATUS,
    Saying,
    Subscriber,
    alert,
    conditions_of,
    connected,
    listening,
    retained,
)
from support.hostile_broker import Reply, honest, hostile_broker, mutated
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire.documents import Alert, Origin, Versions, alert_of
from vser_stream.runtime.delivery.delivery import Delivery
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.values import Label, Message

pytestmark = pytest.mark.usefixtures("quiet_loop")

DISCOVERY = retained("homeassistant/device/home/config", "d" * 20_000)
WILL = Message(STATUS, b"offline", 1, retain=True, id="w")
GREETING = (retained(STATUS, "online"), DISCOVERY, retained(STATE, "calm"))
"""The document nobody needs for an alarm comes before one that is needed."""


def alert_document(number: int) -> bytes:
    """A real one, with as many reasons as there may be."""
    heard = decision(panic=0.9, at=3.0)
    transition = Transition(
        AlarmEvent.RAISED,
        Label.PANIC,
        replace(heard, evidence=heard.evidence * 12, rationale="Pitch is far above. " * 20),
        "one decision at 0.90",
    )
    versions = Versions(package="0.1.0", model="m@1")
    now = time.time()
    names = {"event_id": f"m{number}", "alert_id": "a1"}
    origin = Origin("home", "bed", versions)
    document = alert_of(transition, origin=origin, **names, seq=number + 1, published_at=now)
    return document.model_dump_json().encode()


def alerts_of(payloads: Iterable[str]) -> list[str]:
    return [one for one in payloads if one.startswith("{")]


@asynccontextmanager
async def delivering(
    outbox: SqliteOutbox,
    broker: MqttConfig,
    *,
    greeting: Iterable[Message] = GREETING,
    goodbye: Iterable[Message] = (),
) -> AsyncIterator[Delivery]:
    delivery = Delivery(
        Keeper(outbox),
        lambda: MqttPublisher(broker, client_id="agent", will=WILL),
        presence=Saying(greeting, goodbye),
        jitter=lambda: 1.0,
    )
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        await delivery.stop(2.0)
        await task


async def told(delivery: Delivery, what: str) -> Condition:
    async with asyncio.timeout(HANGS):
        while True:
            for one in conditions_of(delivery):
                if what in one.reason:
                    return one
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("setting", "said", "left_out"),
    [
        ("retain_available false", "does not store retained messages", False),
        ("max_qos 0", "supports QoS 0 only", False),
        ("max_packet_size 2000", "does not accept homeassistant/device/home/config", True),
        ("message_size_limit 2000", "does not accept homeassistant/device/home/config", True),
    ],
)
async def test_what_a_broker_does_not_take_is_left_out_and_told(
    tmp_path: Path, outbox: SqliteOutbox, setting: str, said: str, *, left_out: bool
) -> None:
    with Mosquitto(tmp_path, settings=setting) as server:
        async with (
            listening(server) as subscriber,
            delivering(outbox, MqttConfig(host=server.host, port=server.port)) as delivery,
        ):
            await told(delivery, said)
            await delivery.keeper.put(alert("panic", priority=3))
            heard = await subscriber.until(lambda payloads: {"online", "calm", "panic"} <= set(payloads))
            assert (await delivery.counters()).reconnects <= 1
            assert (DISCOVERY.payload.decode() not in heard) is left_out
            assert next(iter(conditions_of(delivery))).name is ConditionName.BROKER_LIMITS
    assert len(outbox) == 0


@pytest.mark.parametrize("setting", ["max_packet_size 1700", "message_size_limit 1700"])
async def test_an_alert_that_is_too_large_goes_in_brief_and_the_next_one_at_once(
    tmp_path: Path, outbox: SqliteOutbox, setting: str
) -> None:
    first, second = (alert_document(number) for number in (0, 1))
    assert len(first) > 1700
    with Mosquitto(tmp_path, settings=setting) as server:
        async with (
            listening(server) as subscriber,
            delivering(outbox, MqttConfig(host=server.host, port=server.port), greeting=()) as delivery,
        ):
            await delivery.keeper.put(Message(ALERT, first, 1, retain=False, id="m1", priority=3))
            await subscriber.until(lambda payloads: len(alerts_of(payloads)) == 1)
            await delivery.keeper.put(Message(ALERT, second, 1, retain=False, id="m2", priority=3))
            await subscriber.until(lambda payloads: len(alerts_of(payloads)) == 2)
            assert (await delivery.counters()).reconnects <= 2
            await told(delivery, "shortened")
    for whole, brief in zip((first, second), alerts_of(subscriber.payloads), strict=True):
        one, other = Alert.model_validate_json(whole), Alert.model_validate_json(brief)
        assert other.evidence == ()
        assert (one.id, one.label, one.confidence) == (other.id, other.label, other.confidence)


def hangs_up_on(topic: bytes) -> Callable[[int], Callable[[int, bytes], Iterable[bytes]]]:
    """A broker that ends the connection over a topic, without a word."""

    def manners(_: int) -> Callable[[int, bytes], Iterable[bytes]]:
        def reply(first: int, content: bytes) -> Iterable[bytes]:
            if first >> 4 == 3:
                heard.append(content[2 : 2 + int.from_bytes(content[:2], "big")].decode())
                if heard[-1].encode() == topic:
                    raise ConnectionAbortedError
            return honest(first, content)

        return reply

    heard.clear()
    return manners


heard: list[str] = []


async def test_a_document_over_which_a_broker_hangs_up_blocks_nothing(outbox: SqliteOutbox) -> None:
    async with (
        hostile_broker(hangs_up_on(DISCOVERY.topic.encode())) as broker,
        delivering(outbox, broker) as delivery,
    ):
        await told(delivery, f"does not accept {DISCOVERY.topic}")
        await delivery.keeper.put(alert("panic", priority=3))
        async with asyncio.timeout(HANGS):
            while ALERT not in heard:  # noqa: ASYNC110 - a broker without events
                await asyncio.sleep(0.01)
        assert heard.count(DISCOVERY.topic) == 2
        assert STATE in heard


async def test_an_alert_over_which_a_broker_hangs_up_does_not_block_those_of_another_source(
    outbox: SqliteOutbox,
) -> None:
    other = replace(alert("other", priority=2), topic="vser/v1/home/hall/alert")
    async with hostile_broker(hangs_up_on(ALERT.encode())) as broker, delivering(outbox, broker) as delivery:
        await delivery.keeper.put(alert("stuck", priority=3))
        condition = await told(delivery, "does not accept an alert")
        await delivery.keeper.put(other)
        async with asyncio.timeout(HANGS):
            while other.topic not in heard:  # noqa: ASYNC110 - a broker without events
                await asyncio.sleep(0.01)
    assert condition.priority == "medium"
    assert [one.id for one in outbox] == ["stuck"]


async def test_a_damaged_message_blocks_nothing(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    bad = {
        "no topic": alert("x", priority=3),
        "wildcard": replace(alert("y", priority=3), topic="vser/v1/+/bed/alert"),
        "half": replace(alert("z", priority=3), payload=b'{"schema":"vser.alert/1"'),
        "other": replace(alert("q", priority=3), payload=b'{"schema":"vser.alert/1"}'),
    }
    bad["no topic"] = replace(bad["no topic"], topic="")
    for message in bad.values():
        outbox.put(message)
    async with delivering(outbox, MqttConfig(host=server.host, port=server.port), greeting=()) as delivery:
        await delivery.keeper.put(alert("panic", priority=2))
        await subscriber.until_heard("panic")
        assert (await delivery.counters()).reconnects == 0


async def test_two_agents_of_one_site_are_told_and_every_alert_arrives(
    tmp_path: Path, server: Mosquitto, subscriber: Subscriber
) -> None:
    broker = MqttConfig(host=server.host, port=server.port)
    with SqliteOutbox(tmp_path / "1.db") as one, SqliteOutbox(tmp_path / "2.db") as two:
        async with delivering(one, broker) as first, delivering(two, broker) as second:
            for number in range(6):
                for name, delivery in (("first", first), ("second", second)):
                    await delivery.keeper.put(alert(f"{name}-{number}", priority=3))
                    await subscriber.until_heard(f"{name}-{number}")
            names = [one.name for each in (first, second) for one in conditions_of(each)]
    assert ConditionName.SITE_TWICE in names


async def test_a_broker_that_only_restarts_is_no_second_agent(
    outbox: SqliteOutbox, server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        delivering(outbox, MqttConfig(host=server.host, port=server.port)) as delivery,
        asyncio.timeout(HANGS),
    ):
        for number in range(4):
            await connected(delivery)
            server.stop()
            caplog.clear()
            await delivery.keeper.put(alert(f"x{number}", priority=3))
            while "refuses connections" not in caplog.text:  # noqa: ASYNC110 - logged
                await asyncio.sleep(0.01)
            server.start()
            await delivery.keeper.put(alert(f"y{number}", priority=3))
        await connected(delivery)
        assert ConditionName.SITE_TWICE not in [one.name for one in conditions_of(delivery)]


async def test_after_a_row_of_raving_brokers_a_sane_one_gets_the_alert(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vser_stream.runtime.delivery.delivery.URGENT_PAUSE", 0.0)
    arrived = asyncio.Event()
    sane_from = 20

    def manners(number: int) -> Reply:
        bent = mutated(number) if number < sane_from else honest

        def reply(first: int, content: bytes) -> Iterable[bytes]:
            if number >= sane_from and b"panic" in content:
                arrived.set()
            return bent(first, content)

        return reply

    async with hostile_broker(manners, timeout=0.1) as broker, delivering(outbox, broker) as delivery:
        await delivery.keeper.put(alert("panic", priority=3))
        while not arrived.is_set():
            await delivery.keeper.put(alert(f"more-{time.monotonic_ns()}", priority=3))
            await asyncio.sleep(0.002)
