from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Mosquitto, shipped_broker
from support.mqtt import address, message, next_of, output, received
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.core.wire import topics
from vser_stream.errors import MessageRefusedError
from vser_stream.values import Message

pytestmark = pytest.mark.usefixtures("quiet_loop")


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[Mosquitto]:
    with shipped_broker(tmp_path, users={"home-1": "h", "home-2": "h", "dispatcher": "d"}) as server:
        yield server


def user(server: Mosquitto, name: str, folder: Path) -> MqttConfig:
    password_file = folder / name
    password_file.write_text(name[0])
    return address(server, username=name, password_file=password_file)


async def test_the_shipped_broker_keeps_what_an_absent_dispatcher_must_hear_over_a_power_cut(
    shipped: Mosquitto, tmp_path: Path
) -> None:
    dispatcher = [
        "mosquitto_sub",
        "-p",
        str(shipped.port),
        "-u",
        "dispatcher",
        "-P",
        "d",
        "-c",
        "-i",
        "d",
        "-q",
        "1",
    ]
    topics = ["-t", "vser/v1/+/+/alert", "-t", "vser/v1/+/status"]
    output([*dispatcher, *topics, "-E"])
    database = tmp_path / "mosquitto.db"
    async with MqttPublisher(user(shipped, "home-1", tmp_path)) as publisher:
        for n in range(20):
            await publisher.publish(message(f"alert {n}", topic="vser/v1/home-1/bed/alert"))
        await publisher.publish(Message("vser/v1/home-1/status", b"online", 1, retain=True, id="s"))
        async with asyncio.timeout(HANGS):
            while not (database.exists() and b"online" in database.read_bytes()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        shipped.kill()
    shipped.start()
    heard = output([*dispatcher, *topics, "-C", "21", "-W", "5"]).split("\n")
    assert heard[:21] == [*(f"alert {n}" for n in range(20)), "online"]


async def test_the_shipped_access_list_lets_no_box_speak_for_another(
    shipped: Mosquitto, tmp_path: Path
) -> None:
    async with MqttPublisher(user(shipped, "home-2", tmp_path)) as publisher:
        for topic in ("status", "bed/alert", "bed/state", "bed/health", "bed/utterance"):
            await publisher.publish(message("m", topic=f"vser/v1/home-2/{topic}"))
            with pytest.raises(MessageRefusedError):
                await publisher.publish(message("m", topic=f"vser/v1/home-1/{topic}"))
        for topic in (topics.device("homeassistant", "home-2", source) for source in (None, "bed")):
            await publisher.publish(message("m", topic=topic))
        for topic in (
            "homeassistant/device/home-1/bed/config",
            "homeassistant/device/home-1/config",
            "homeassistant/status",
            "vser/v1/home-1/b/cmd/ack",
        ):
            with pytest.raises(MessageRefusedError):
                await publisher.publish(message("m", topic=topic))


async def test_the_shipped_access_list_lets_those_who_care_command_and_be_answered(
    shipped: Mosquitto, tmp_path: Path
) -> None:
    async with (
        MqttPublisher(user(shipped, "home-2", tmp_path)) as box,
        MqttPublisher(user(shipped, "dispatcher", tmp_path)) as dispatcher,
    ):
        await box.subscribe("vser/v1/home-2/+/cmd/+")
        await dispatcher.subscribe("vser/v1/home-2/answers/#")
        await dispatcher.publish(message("ack", topic="vser/v1/home-2/bed/cmd/ack"))
        assert await next_of(box) == received("vser/v1/home-2/bed/cmd/ack", b"ack")
        await box.publish(message("done", topic="vser/v1/home-2/answers/d"))
        assert await next_of(dispatcher) == received("vser/v1/home-2/answers/d", b"done")
        with pytest.raises(MessageRefusedError):
            await dispatcher.publish(message("m", topic="vser/v1/home-2/bed/alert"))
