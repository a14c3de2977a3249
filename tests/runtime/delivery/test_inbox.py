"""What strangers ask for may cost the connection for commands; it never costs the one for alerts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.clock import SetClock
from support.delivery import Subscriber, alert, connected, deliver, running
from support.mqtt import message
from support.patience import HANGS
from support.ward import NoFeedback, Ward, Wards

from vser_stream.adapters.mqtt.client import MqttPublisher, Received
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.core.technical_condition import ConditionName
from vser_stream.errors import PublishError
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.connection import STABLE, unique
from vser_stream.runtime.delivery.delivery import Delivery, Unobserved
from vser_stream.runtime.delivery.inbox import CommandLink, Inbox
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.delivery.standing import AWAY_AFTER
from vser_stream.runtime.remote.command_desk import CommandDesk
from vser_stream.values import Message

pytestmark = pytest.mark.usefixtures("quiet_loop")

COMMANDS = "vser/v1/home/+/cmd/+"
ACK = "vser/v1/home/bed/cmd/ack"


@asynccontextmanager
async def attending(inbox: Inbox) -> AsyncIterator[None]:
    task = asyncio.create_task(inbox.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def inbox_at(
    broker: MqttConfig, asked: list[str], answer: Message | None = None, *, link: CommandLink | None = None
) -> Inbox:
    class Asked:
        async def receive(self, received: Received) -> Message | None:
            asked.append(received.payload.decode())
            if asked[-1] == "bug":
                raise ZeroDivisionError
            return answer

    return Inbox(
        [COMMANDS],
        lambda: MqttPublisher(broker, client_id="agent-commands"),
        receiver=Asked(),
        access=Access(),
        jitter=lambda: 1.0,
        link=link,
    )


class Losing(Unobserved):
    """Tells the inbox of each loss."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def lost(self, error: PublishError) -> None:
        self._inbox.alerts_lost(error)


async def until(asked: list[str], what: str) -> None:
    async with asyncio.timeout(HANGS):
        while what not in asked:  # noqa: ASYNC110 - counted, not told
            await asyncio.sleep(0.01)


async def test_alerts_come_while_an_answer_ends_the_connection_for_commands_each_time(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    asked: list[str] = []
    # Over 200 levels: Mosquitto ends the connection, and brings the retained command again on the next.
    inbox = inbox_at(MqttConfig(host=server.host, port=server.port), asked, message("no", topic="/" * 230))
    server.publish("vser/v1/home/bed/cmd/ack", "retained", retain=True)
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery), attending(inbox):
        await connected(delivery)
        await until(asked, "retained")
        for number in range(20):
            await delivery.keeper.put(alert(f"panic-{number}", priority=3))
            await subscriber.until_heard(f"panic-{number}")
            await asyncio.sleep(0.05)
        assert (await delivery.counters()).reconnects == 0
        async with asyncio.timeout(HANGS):
            while asked.count("retained") < 2:  # noqa: ASYNC110 - counted, not told
                await asyncio.sleep(0.01)


async def test_who_logs_in_under_our_client_id_again_and_again_stops_no_alert(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    broker = MqttConfig(host=server.host, port=server.port)

    async def throw_out() -> None:
        while True:
            with contextlib.suppress(PublishError):
                async with MqttPublisher(broker, client_id="agent"):
                    await asyncio.sleep(0.02)

    def connect() -> MqttPublisher:
        thrown_out = delivery.standing.thrown_out
        return MqttPublisher(broker, client_id=unique("agent") if thrown_out else "agent")

    delivery = Delivery(Keeper(outbox), connect, jitter=lambda: 1.0)
    async with running(delivery):
        await connected(delivery)
        thief = asyncio.create_task(throw_out())
        while not delivery.standing.thrown_out:  # noqa: ASYNC110 - counted, not told
            await asyncio.sleep(0.01)
        await delivery.keeper.put(alert("panic-0", priority=3))
        await subscriber.until_heard("panic-0")
        before = (await delivery.counters()).reconnects
        for number in range(1, 20):
            await delivery.keeper.put(alert(f"panic-{number}", priority=3))
            await subscriber.until_heard(f"panic-{number}")
        assert (await delivery.counters()).reconnects == before
        thief.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await thief


async def test_a_bug_that_a_command_finds_costs_its_connection_only(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    async with attending(inbox_at(MqttConfig(host=server.host, port=server.port), asked)):
        await asyncio.sleep(0.2)
        server.publish("vser/v1/home/bed/cmd/ack", "bug")
        await until(asked, "bug")
        server.publish("vser/v1/home/bed/cmd/ack", "next", retain=True)
        await until(asked, "next")
    assert [
        record.exc_info is not None for record in caplog.records if "lost by an internal" in record.message
    ] == [True]


async def test_where_a_user_may_have_one_connection_it_is_that_of_the_alerts(
    tmp_path: Path, outbox: SqliteOutbox
) -> None:
    (tmp_path / "secret").write_text("s")
    settings = "use_username_as_clientid true"
    with Mosquitto(tmp_path, users={"home": "s", "dispatcher": "d"}, settings=settings) as server:
        broker = MqttConfig(
            host=server.host, port=server.port, username="home", password_file=tmp_path / "secret"
        )
        asked: list[str] = []
        inbox = inbox_at(broker, asked)
        delivery = Delivery(
            Keeper(outbox), lambda: MqttPublisher(broker), observer=Losing(inbox), jitter=lambda: 1.0
        )
        async with running(delivery), attending(inbox):
            async with asyncio.timeout(HANGS):
                while not inbox.stands_back:  # noqa: ASYNC110 - counted, not told
                    await asyncio.sleep(0.01)
            await connected(delivery)
            before = (await delivery.counters()).reconnects
            for number in range(5):
                await delivery.keeper.put(alert(f"panic-{number}", priority=3))
            async with asyncio.timeout(HANGS):
                while (await delivery.counters()).depth:  # noqa: ASYNC110 - counters are asked for
                    await asyncio.sleep(0.01)
            assert (await delivery.counters()).reconnects <= before + 1


async def test_a_broker_that_restarts_now_and_then_keeps_no_command_waiting(
    server: Mosquitto,
) -> None:
    asked, clock = list[str](), SetClock()
    inbox = inbox_at(MqttConfig(host=server.host, port=server.port), asked, link=CommandLink(clock=clock))
    async with attending(inbox):
        for number in range(3):
            async with MqttPublisher(MqttConfig(host=server.host, port=server.port)) as sender:
                async with asyncio.timeout(HANGS):
                    while f"{number}" not in asked:
                        await sender.publish(message(f"{number}", topic=ACK))
                        await asyncio.sleep(0.05)
            inbox.alerts_lost(PublishError("it restarts"))  # shortly after both had been opened
            assert not inbox.stands_back
            clock.forward(STABLE)
            server.stop()
            await asyncio.to_thread(server.start)


async def test_that_nobody_can_be_heard_is_told(tmp_path: Path) -> None:
    clock = SetClock()
    with Mosquitto(tmp_path, settings="clientid_prefixes other-") as server:
        link = CommandLink(clock=clock)
        inbox = inbox_at(MqttConfig(host=server.host, port=server.port), [], link=link)
        async with attending(inbox), asyncio.timeout(HANGS):
            clock.forward(AWAY_AFTER - 1)
            assert list(link.conditions()) == []
            clock.forward(1)
            (found,) = link.conditions()
            while "agent-commands" not in found.reason:
                await asyncio.sleep(0.01)
                (found,) = link.conditions()
    assert found.name is ConditionName.COMMANDS_AWAY


async def test_a_flood_takes_no_answer_from_those_who_acknowledge(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    ward = Ward()
    desk = CommandDesk("home", Wards([ward]), feedback=NoFeedback())
    broker = MqttConfig(host=server.host, port=server.port)
    inbox = Inbox([COMMANDS], lambda: MqttPublisher(broker), receiver=desk, access=Access())

    async def flood(stranger: MqttPublisher) -> None:
        for nonsense in cycle(["{}", "now!", '{"alert_id": "other"}', '{"minutes": 1}']):
            await stranger.publish(message(nonsense, topic=ACK), response_topic="answers/x")

    async with attending(inbox), MqttPublisher(broker) as nurse, MqttPublisher(broker) as stranger:
        flooding = asyncio.create_task(flood(stranger))
        await nurse.subscribe("answers/#")
        async with asyncio.timeout(HANGS):
            while desk.ignored < 500:  # noqa: ASYNC110 - counted, not told
                await asyncio.sleep(0.01)
            for number in range(40):
                ack = message('{"alert_id": "a1b2c3", "seq": 1}', topic=ACK)
                await nurse.publish(ack, response_topic=f"answers/{number}")
            waited_for = {f"answers/{number}" for number in range(40)}
            async for received in nurse.received():
                waited_for.discard(received.topic)
                if not waited_for:
                    break
        flooding.cancel()
    assert ward.asked.count("acknowledge a1b2c3 seq 1 by somebody") == 1
    assert len(caplog.records) < 50
