"""Something on 127.0.0.1 that speaks a little MQTT, and lies, rambles or raves as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from vser_stream.config.schema import MqttConfig

__all__ = ["CONNACK", "Reply", "honest", "hostile_broker", "mutated", "packet", "publication"]

Reply = Callable[[int, bytes], Iterable[bytes]]
"""What to send for a packet of the client: its first byte, and the rest without the length."""

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12
"""Kinds of packets, the upper half of the first byte."""

CONNACK = b"\x20\x03\x00\x00\x00"


def packet(first: int, content: bytes) -> bytes:
    """With its length in front (section 1.5.5 of MQTT 5)."""
    length, rest = b"", len(content)
    while True:
        rest, digit = divmod(rest, 0x80)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([first]) + length + content


def publication(topic: bytes, payload: bytes, *, qos: int = 0, number: int = 1) -> bytes:
    """A message of the broker to the client."""
    identifier = number.to_bytes(2, "big") if qos else b""
    content = len(topic).to_bytes(2, "big") + topic + identifier + b"\x00" + payload
    return packet(0x30 | qos << 1, content)


def honest(first: int, content: bytes) -> Iterable[bytes]:
    """What a broker would say that takes everything."""
    match first >> 4:
        case kind if kind == CONNECT:
            return [CONNACK]
        case kind if kind == SUBSCRIBE:
            return [packet(0x90, content[:2] + b"\x00\x01"), publication(b"a/b", b"{}", qos=1)]
        case kind if kind == PUBLISH and first & 0x06:
            start = 2 + int.from_bytes(content[:2], "big")
            return [packet(0x40, content[start : start + 2])]
        case kind if kind == PINGREQ:
            return [b"\xd0\x00"]
        case _:
            return []


def mutated(seed: int) -> Reply:
    """An honest broker whose words are bent; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - no secret

    def reply(first: int, content: bytes) -> Iterable[bytes]:
        for one in honest(first, content):
            yield _bent(one, rng) if rng.random() < 0.6 else one
            if rng.random() < 0.3:
                yield _random(rng)

    return reply


def _bent(one: bytes, rng: random.Random) -> bytes:
    raw = bytearray(one)
    match rng.randrange(5):
        case 0:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        case 1:
            del raw[rng.randrange(len(raw)) :]
        case 2:
            place = rng.randrange(len(raw))
            raw[place:place] = rng.randbytes(rng.randrange(1, 6))
        case 3:
            return packet(raw[0], rng.randbytes(rng.randrange(20)))
        case _:
            return bytes(raw) * 2
    return bytes(raw)


def _random(rng: random.Random) -> bytes:
    kind = rng.choice((0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0))
    topics = (b"a/b", b"+/#", b"\xff\xfe", b"", b"vser/v1/home/bed/cmd/ack")
    if kind >> 4 == PUBLISH:
        return publication(rng.choice(topics), rng.randbytes(rng.randrange(9)), qos=kind >> 1 & 3)
    return packet(kind, rng.randbytes(rng.randrange(12)))


@asynccontextmanager
async def hostile_broker(reply: Callable[[int], Reply], *, timeout: float = 0.3) -> AsyncIterator[MqttConfig]:  # noqa: ASYNC109 - of the client
    """Serve; ``reply`` is asked for the manners of each connection by its number, from 0."""
    served = 0
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        manners, served = reply(served), served + 1
        if task := asyncio.current_task():
            serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                first, content = await _read(reader)
                for one in manners(first, content):
                    writer.write(one)
                    await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield MqttConfig(host="127.0.0.1", port=listener.sockets[0].getsockname()[1], timeout=timeout)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    (first,) = await reader.readexactly(1)
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first, await reader.readexactly(length)
