from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import statistics
import subprocess
import sys
import time

import pytest
from support.broker import Mosquitto
from support.mqtt import address, message, next_of, output, received
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import INBOX, MqttPublisher
from vser_stream.adapters.mqtt.packets import LARGEST
from vser_stream.core.wire.documents import SiteStatus, status_message
from vser_stream.values import Message

pytestmark = pytest.mark.usefixtures("quiet_loop")


def listen(server: Mosquitto, topic: str, count: int) -> list[str]:
    """Retained messages as mosquitto_sub prints them, with their properties."""
    line = "%t|%q|%r|%C|%E|%P|%p"
    where = ["-V", "5", "-p", str(server.port), "-t", topic, "-q", "1"]
    return sorted(output(["mosquitto_sub", *where, "-W", "5", "-C", str(count), "-F", line]).splitlines())


async def test_a_message_arrives_with_its_mqtt_5_properties(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher:
        sent = Message("a/b", b'{"x": 1}', 1, retain=True, id="m1", expires_at=time.time() + 600)
        await publisher.publish(sent)
        await publisher.publish(dataclasses.replace(sent, topic="a/c", expires_at=None))
    lines = [row.split("|") for row in listen(server, "a/+", 2)]
    lifetime = int(lines[0].pop(4))
    assert lines == [
        ["a/b", "1", "1", "application/json", "id:m1", '{"x": 1}'],
        ["a/c", "1", "1", "application/json", "", "id:m1", '{"x": 1}'],
    ]
    assert 595 <= lifetime <= 600


def test_a_status_and_the_will_are_cloud_events_too(server: Mosquitto) -> None:
    will = status_message("home-1", SiteStatus.OFFLINE, "w1")
    vanished = subprocess.run([sys.executable, "-c", VANISHING, str(server.port)], timeout=HANGS, check=False)
    assert vanished.returncode == -signal.SIGKILL
    expected = "specversion:1.0 id:w1 source:urn:vser:home-1 type:io.vser.status.v1"
    (line,) = listen(server, will.topic, 1)
    topic, _, _, content_type, _, properties, payload = line.split("|")
    assert (topic, content_type, payload) == (will.topic, "text/plain", "offline")
    assert set(properties.split(" ")) == set(expected.split(" "))


VANISHING = """
import asyncio, os, signal, sys
from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.core.wire.documents import SiteStatus, status_message

async def main():
    will = status_message("home-1", SiteStatus.OFFLINE, "w1")
    async with MqttPublisher(MqttConfig(host="127.0.0.1", port=int(sys.argv[1])), will=will):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_command_arrives_with_where_to_answer_it(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher:
        await publisher.subscribe("cmd/#")
        await publisher.subscribe("answers")
        properties = ["-D", "publish", "response-topic", "answers", "-D", "publish", "correlation-data", "c1"]
        command = [
            "mosquitto_pub",
            "-V",
            "5",
            "-p",
            str(server.port),
            "-t",
            "cmd/ack",
            "-m",
            "now",
            *properties,
        ]
        output(command)
        command_received = received("cmd/ack", b"now", response_topic="answers", correlation=b"c1")
        assert await next_of(publisher) == command_received
        await publisher.publish(message("done", topic="answers"), correlation=b"c1")
        assert await next_of(publisher) == received("answers", b"done", correlation=b"c1")


async def test_the_will_is_kept_by_the_broker_after_an_error_but_not_after_a_good_end(
    server: Mosquitto,
) -> None:
    will = Message("status", b"offline", 1, retain=True, id="w")
    async with MqttPublisher(address(server), will=will) as publisher:
        await publisher.publish(message("x", topic="status"))
    async with MqttPublisher(address(server)) as watcher:
        await watcher.subscribe("status")
        with contextlib.suppress(ZeroDivisionError):
            async with MqttPublisher(address(server), will=will):
                raise ZeroDivisionError
        assert await next_of(watcher) == received("status", b"offline")
    async with MqttPublisher(address(server)) as late:
        await late.subscribe("status")
        assert await next_of(late) == received("status", b"offline", retain=True)


async def test_a_slow_reader_loses_the_oldest_counted(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher:
        await publisher.subscribe("vser/t")
        for n in range(INBOX + 3):
            await publisher.publish(message(str(n)))
        await publisher.publish(message("last", topic="vser/t"))
        await asyncio.sleep(0.1)  # its echo comes just before its acknowledgement or just after
        assert (await next_of(publisher), publisher.dropped) == (received("vser/t", b"4"), 4)


async def test_a_packet_larger_than_we_take_never_reaches_us(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher, MqttPublisher(address(server)) as other:
        await publisher.subscribe("vser/t")
        await other.publish(dataclasses.replace(message("large"), payload=b"x" * LARGEST))
        await other.publish(message("small"))
        assert await next_of(publisher) == received("vser/t", b"small")


async def test_an_alert_just_after_another_message_does_not_wait_for_the_network(server: Mosquitto) -> None:
    taken = []
    async with MqttPublisher(address(server)) as publisher:
        for _ in range(15):
            begin = time.monotonic()
            await publisher.publish(message("utterance", qos=0))
            await publisher.publish(message("alert"))
            taken.append(time.monotonic() - begin)
    assert statistics.median(taken) < 0.02  # two small packets: 40 ms where Nagle's algorithm is at work
