"""What is held back over a broker's manners, and how long."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable, Iterable

import pytest
from support.broker import Mosquitto
from support.delivery import ALERT, STATE, STATUS, Saying, Subscriber, alert, conditions_of, retained, until
from support.hostile_broker import Reply, honest, hostile_broker
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError
from vser_stream.runtime.delivery.delivery import LONGEST_PAUSE, URGENT_PAUSE, Delivery
from vser_stream.runtime.delivery.quarantine import Aside
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.values import Message

pytestmark = pytest.mark.usefixtures("quiet_loop")

UTTERANCE = "vser/v1/home/bed/utterance"

LARGE = b'{"schema":"x","reason":"%s"}' % (b"a" * 3000)

Heard = list[list[str]]
"""Topics of each connection, in the order they came."""


def delivering(outbox: SqliteOutbox, broker: MqttConfig, *, greeting: Iterable[Message] = ()) -> Delivery:
    return Delivery(
        Keeper(outbox), lambda: MqttPublisher(broker), presence=Saying(greeting), jitter=lambda: 1.0
    )


async def deliver_until(delivery: Delivery, condition: Callable[[], object]) -> None:
    task = asyncio.create_task(delivery.run())
    try:
        await until(condition)
    finally:
        await delivery.stop(2.0)
        await task


def breaking(heard: Heard, breaks: Callable[[int, str, bytes], bool]) -> Callable[[int], Reply]:
    """A broker that dies over whatever ``breaks`` says, asked by number of connection, topic and packet.

    The topic is empty for the connection itself.
    """

    def manners(number: int) -> Reply:
        heard.append([])

        def reply(first: int, content: bytes) -> Iterable[bytes]:
            topic = content[2 : 2 + int.from_bytes(content[:2], "big")].decode() if first >> 4 == 3 else ""
            if topic:
                heard[number].append(topic)
            if first >> 4 in {1, 3} and breaks(number, topic, content):
                raise ConnectionAbortedError
            return honest(first, content)

        return reply

    return manners


async def test_an_alert_that_was_on_its_way_when_the_broker_died_is_the_second_message_it_gets(
    outbox: SqliteOutbox,
) -> None:
    heard: Heard = []
    for number in range(5):
        outbox.put(dataclasses.replace(alert(f"u{number}"), topic=UTTERANCE))
    outbox.put(alert("panic", priority=3))
    greeting = (retained(STATUS, "online"), retained(STATE, "panic"))
    manners = breaking(heard, lambda number, topic, _: number == 0 and topic == ALERT)
    async with hostile_broker(manners) as broker:
        delivery = delivering(outbox, broker, greeting=greeting)
        await deliver_until(delivery, lambda: len(outbox) == 0)
    assert heard[0] == [ALERT]
    assert heard[1] == [STATUS, ALERT, STATE, *[UTTERANCE] * 5]


async def test_the_broker_is_missed_as_soon_when_the_alert_was_on_its_way(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: Heard = []
    limits: list[float] = []

    def at_once(*_: float, longest: float) -> float:
        limits.append(longest)
        return 0.01

    monkeypatch.setattr("vser_stream.runtime.delivery.delivery.backoff", at_once)
    outbox.put(alert("panic", priority=3))
    outbox.put(retained(STATE, "panic"))
    manners = breaking(heard, lambda number, topic, _: number > 0 or topic == ALERT)
    async with hostile_broker(manners) as broker:
        await deliver_until(delivering(outbox, broker), lambda: len(limits) >= 4)
    assert heard[0] == [ALERT]
    assert URGENT_PAUSE < LONGEST_PAUSE
    assert set(limits) == {URGENT_PAUSE}


async def test_a_broker_that_restarts_again_and_again_over_one_message_is_not_accused_at_once(
    outbox: SqliteOutbox,
) -> None:
    heard: Heard = []
    manners = breaking(heard, lambda number, topic, _: number < 2 and topic == STATUS)
    async with hostile_broker(manners) as broker:
        delivery = delivering(outbox, broker, greeting=(retained(STATUS, "online"), retained(STATE, "calm")))
        await deliver_until(delivery, lambda: len(heard) == 3 and STATUS in heard[2])
        assert list(conditions_of(delivery)) == []
    assert heard[1] == [STATE, STATUS]


async def test_a_broker_that_was_away_is_not_believed_to_be_what_it_was(outbox: SqliteOutbox) -> None:
    phase = "limited"
    sizes: list[int] = []
    heard: Heard = []

    def breaks(_: int, topic: str, content: bytes) -> bool:
        if phase == "sane" and topic == ALERT:
            sizes.append(len(content))
        return phase == "away" or (phase == "limited" and topic == ALERT and len(content) > len(LARGE))

    async with hostile_broker(breaking(heard, breaks)) as broker:
        delivery = delivering(outbox, broker, greeting=(retained(STATUS, "online"),))
        task = asyncio.create_task(delivery.run())
        await delivery.keeper.put(dataclasses.replace(alert("1", priority=3), payload=LARGE))
        await until(lambda: any("shortened" in one.reason for one in conditions_of(delivery)))
        phase, known = "away", len(heard)
        await delivery.keeper.put(alert("2", priority=3))
        await until(lambda: len(heard) > known + 2)
        phase = "sane"
        await until(lambda: len(outbox) == 0)
        await delivery.keeper.put(dataclasses.replace(alert("3", priority=3), payload=LARGE))
        await until(lambda: sizes and len(outbox) == 0)
        assert max(sizes) > len(LARGE)
        assert list(conditions_of(delivery)) == []
        await delivery.stop(2.0)
        await task


@pytest.mark.parametrize("in_words", [True, False])
def test_no_alert_is_held_back_for_longer_than_a_connection_is_waited_for(*, in_words: bool) -> None:
    aside, over = Aside(), PublishError("it hung up")
    panic = alert("panic", priority=2)
    for now in map(float, range(2, 40)):
        if in_words:
            aside.unfit(panic, "no", now=now, wall=0.0)
        else:
            aside.strike(panic, over, took_others=True, in_brief=False, now=now, wall=0.0)
        assert now == 2.0 or 0.0 < aside.next_try(now) - now <= URGENT_PAUSE


async def test_an_alert_in_brief_does_not_wait_behind_all_else(outbox: SqliteOutbox) -> None:
    heard: Heard = []
    for number in range(5):
        outbox.put(dataclasses.replace(alert(f"u{number}"), topic=UTTERANCE))
    outbox.put(dataclasses.replace(alert("panic", priority=3), payload=LARGE))
    manners = breaking(heard, lambda _, topic, content: topic == ALERT and len(content) > len(LARGE))
    async with hostile_broker(manners) as broker:
        delivery = delivering(outbox, broker, greeting=(retained(STATUS, "online"),))
        await deliver_until(delivery, lambda: len(outbox) == 0)
    assert heard == [[ALERT], *[[STATUS, ALERT]] * 2, [STATUS, ALERT, *[UTTERANCE] * 5]]


async def test_a_message_that_finds_a_bug_stops_none_behind_it(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = MqttPublisher.publish

    async def buggy(self: MqttPublisher, message: Message, **more: object) -> None:
        if message.id == "bad":
            raise ZeroDivisionError
        await publish(self, message, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(MqttPublisher, "publish", buggy)
    outbox.put(alert("bad", priority=3))
    outbox.put(alert("panic", priority=2))
    async with asyncio.timeout(HANGS):
        delivery = delivering(outbox, MqttConfig(host=server.host, port=server.port))
        await deliver_until(delivery, lambda: "panic" in subscriber.payloads)


async def test_a_message_that_expires_never_or_far_beyond_blocks_nothing(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    for name, expiry in (("inf", math.inf), ("far", 1e300), ("later", 1e11)):
        outbox.put(dataclasses.replace(alert(name, priority=3), expires_at=expiry))
    outbox.put(alert("panic", priority=2))
    delivery = delivering(outbox, MqttConfig(host=server.host, port=server.port))
    await deliver_until(delivery, lambda: "panic" in subscriber.payloads)
    assert (await delivery.counters()).reconnects == 0
