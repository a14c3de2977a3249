"""What the broker keeps of a site, taken off it: for a site that is given up."""

from __future__ import annotations

import asyncio
import uuid

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import Config
from vser_stream.core.wire import topics
from vser_stream.errors import MessageRefusedError
from vser_stream.values import Message

__all__ = ["clear_retained"]

QUIET = 1.0
"""Retained messages come at once after subscribing, one after the other (s)."""


async def clear_retained(config: Config) -> tuple[int, list[str]]:
    """Replace every retained message of the site by nothing; Home Assistant then deletes its devices.

    Returns:
        How many topics were cleared, and those the broker refused.

    Raises:
        PublishError: It is away, or refuses this user.
    """
    refused = []
    # Under the daemon's own client id the broker would hang up on it.
    async with MqttPublisher(config.mqtt, client_id=f"vser-{config.site}-purge") as connection:
        found = await _retained(connection, topics.everything(config.site))
        sources = {said.source for said in map(topics.parse, found) if said and said.source}
        sources |= {source.name for source in config.sources}
        devices = [
            topics.device(config.homeassistant.prefix, config.site, source)
            for source in (None, *sorted(sources))
        ]
        kept = [*found, *(devices if config.homeassistant.enabled else ())]
        for topic in kept:
            try:
                await connection.publish(Message(topic, b"", 1, retain=True, id=uuid.uuid4().hex))
            except MessageRefusedError:
                refused.append(topic)
    return len(kept) - len(refused), refused


async def _retained(connection: MqttPublisher, topic: str) -> list[str]:
    found: dict[str, None] = {}
    await connection.subscribe(topic)
    arriving = connection.received()
    try:
        while True:
            async with asyncio.timeout(QUIET):
                received = await anext(arriving)
            if received.retain:
                found[received.topic] = None
    except (TimeoutError, StopAsyncIteration):
        return list(found)
