"""Messages and connections as the tests of MQTT use them."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest
from support.broker import Mosquitto
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher, Received
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError
from vser_stream.values import Message

__all__ = ["address", "message", "next_of", "output", "received", "refusal"]


def message(name: str, *, topic: str = "vser/t", qos: int = 1, expires_at: float | None = None) -> Message:
    return Message(topic, name.encode(), qos, retain=False, id=name, expires_at=expires_at)


def received(topic: str, payload: bytes, **more: Any) -> Received:
    return Received(topic, payload, **{"retain": False, "response_topic": None, "correlation": None, **more})


def address(server: Mosquitto, **settings: Any) -> MqttConfig:
    return MqttConfig(host=server.host, port=server.port, timeout=1.0).model_copy(update=settings)


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def next_of(publisher: MqttPublisher) -> Received:
    async with asyncio.timeout(HANGS):
        return await anext(aiter(publisher.received()))


async def refusal(broker: MqttConfig) -> str:
    """Why no connection comes about."""
    with pytest.raises(PublishError) as caught:
        async with MqttPublisher(broker):
            pass
    return str(caught.value)
