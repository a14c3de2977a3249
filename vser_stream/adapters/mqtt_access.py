"""Asks a broker what we may publish, without publishing anything.

An alert is rare: without asking, a mistake in the broker's access list would show with the first
panic. A publication of QoS 2 is acknowledged twice (MQTT 5, section 4.3.3); Mosquitto refuses it
with the first acknowledgement, and passes it on only after the second, which is never asked for
here. A broker that passes it on at once would deliver an empty message.

Spoken by hand on a connection of its own: no client library stops half way, and what stands
half way counts against the quota of its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from vser_stream.adapters.mqtt_login import Broker, secrets
from vser_stream.adapters.mqtt_reasons import denial
from vser_stream.errors import PublishError

__all__ = ["denied"]

AT_ONCE = 10
"""Publications that stand half way on one connection; Mosquitto allows 20."""

CONNECT, PUBLISH_QOS_2, DISCONNECT = 0x10, 0x34, 0xE0
MQTT_5 = b"\x00\x04MQTT\x05"
CLEAN_START, WITH_PASSWORD, WITH_USERNAME = 0x02, 0x40, 0x80
FAILURE = 0x80
"""From here on reason codes are refusals."""


async def denied(broker: Broker, topics: Sequence[str]) -> dict[str, str]:
    """Topics the broker would not let us publish on, and why.

    Raises:
        PublishError: It does not say: it is away, or does not speak MQTT 5.
    """
    found: dict[str, str] = {}
    try:
        for first in range(0, len(topics), AT_ONCE):
            async with asyncio.timeout(2 * broker.timeout), _connection(broker) as streams:
                for number, topic in enumerate(topics[first : first + AT_ONCE], start=1):
                    code = await _asked(topic, number, *streams)
                    if code >= FAILURE:
                        found[topic] = denial(code, access="write", topic=topic, username=broker.username)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as exc:
        raise PublishError(f"broker {broker.host} does not say what may be published ({exc!r})") from exc
    return found


@contextlib.asynccontextmanager
async def _connection(broker: Broker) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    password, tls = await asyncio.to_thread(secrets, broker)
    reader, writer = await asyncio.open_connection(
        broker.host, broker.port, ssl=tls, server_hostname=broker.host if tls else None
    )
    try:
        writer.write(_packet(CONNECT, _greeting(broker, password)))
        answer = await _answer(reader)
        if answer[1] >= FAILURE:
            raise PublishError(f"broker {broker.host} refused to say what may be published: code {answer[1]}")
        yield reader, writer
        writer.write(_packet(DISCONNECT, b""))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _asked(topic: str, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """The broker's reason code for a publication; none means that all is well."""
    identifier, no_properties = number.to_bytes(2, "big"), b"\x00"
    writer.write(_packet(PUBLISH_QOS_2, _text(topic) + identifier + no_properties))
    answer = await _answer(reader)
    return answer[2] if len(answer) > len(identifier) else 0


def _greeting(broker: Broker, password: str | None) -> bytes:
    flags, payload = CLEAN_START, _text("")
    if broker.username is not None:
        flags, payload = flags | WITH_USERNAME, payload + _text(broker.username)
    if password is not None:
        flags, payload = flags | WITH_PASSWORD, payload + _text(password)
    no_properties = b"\x00"
    return MQTT_5 + bytes([flags]) + broker.keepalive.to_bytes(2, "big") + no_properties + payload


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The next packet without its header."""
    await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last digit of a variable byte integer
            return await reader.readexactly(length)


def _packet(kind: int, content: bytes) -> bytes:
    length, rest = b"", len(content)
    while True:
        rest, digit = divmod(rest, 0x80)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + content


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
