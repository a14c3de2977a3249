from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from support.broker import free_port
from support.mqtt import message, next_of, received

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.values import Message

pytestmark = pytest.mark.usefixtures("quiet_loop")

AMQTT = """
import asyncio, sys
from amqtt.broker import Broker
async def main():
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listeners = {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}}
    await Broker({"listeners": listeners, "plugins": plugins}).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def older() -> Iterator[MqttConfig]:
    """A broker that does not know MQTT 5."""
    port = free_port()
    command = [sys.executable, "-c", AMQTT, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as amqtt:
        assert amqtt.stdout is not None
        assert amqtt.stdout.readline() == "ready\n"
        yield MqttConfig(host="127.0.0.1", port=port)
        amqtt.kill()


@pytest.mark.parametrize("will", [None, message("will", topic="a/status")], ids=["refuses 5", "chokes on 5"])
async def test_a_broker_that_speaks_3_1_1_only_is_used_all_the_same(
    older: MqttConfig, will: Message | None
) -> None:
    # amqtt refuses MQTT 5, but waits for more of a greeting that has a last will.
    async with MqttPublisher(older.model_copy(update={"timeout": 1.0}), will=will) as publisher:
        await publisher.subscribe("a/#")
        await publisher.publish(message("m1", topic="a/b", expires_at=time.time() + 60))
        assert await next_of(publisher) == received("a/b", b"m1")
