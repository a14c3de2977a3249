"""A broker that lies, rambles or raves ends its own connection, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from support.hostile_broker import honest, hostile_broker, mutated, packet, publication
from support.mqtt import message, next_of, refusal
from support.patience import HANGS

from vser_stream.adapters.mqtt.client import INBOX_BYTES, MqttPublisher
from vser_stream.adapters.mqtt.packets import LARGEST
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import MessageRefusedError, PublishError

pytestmark = pytest.mark.usefixtures("quiet_loop")

SESSIONS = 600
AT_ONCE = 60


async def session(broker: MqttConfig) -> str:
    """Say and hear a little; return how it ended."""
    try:
        async with MqttPublisher(broker, will=message("gone", topic="a/status")) as publisher:
            await publisher.subscribe("a/#")
            await publisher.publish(message("m1"))
            async with asyncio.timeout(0.02):
                async for _ in publisher.received():
                    await publisher.publish(message("m2"))
    except MessageRefusedError:
        return "refused"
    except PublishError:
        return "outage"
    except TimeoutError:
        pass
    return "well"


@pytest.mark.parametrize("first", range(0, SESSIONS, SESSIONS // 2))
async def test_no_packet_of_a_broker_ends_more_than_its_connection(first: int) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def limited(broker: MqttConfig) -> str:
        async with limit:
            return await session(broker)

    async with hostile_broker(lambda number: mutated(first + number)) as broker:
        ends = await asyncio.gather(*(limited(broker) for _ in range(SESSIONS // 2)))
    assert {"well", "outage"} <= set(ends) <= {"well", "refused", "outage"}


@pytest.mark.parametrize("codes", [b"", b"\x01\x01", b"\x01\x01\x01"])
async def test_a_subscription_answered_with_another_number_of_codes_is_an_outage(codes: bytes) -> None:
    def reply(first: int, content: bytes) -> Iterable[bytes]:
        return [packet(0x90, content[:2] + b"\x00" + codes)] if first >> 4 == 8 else honest(first, content)

    async with hostile_broker(lambda _: reply) as broker, MqttPublisher(broker) as publisher:
        with pytest.raises(PublishError, match=f"answered one subscription with {len(codes)} codes"):
            await publisher.subscribe("a/#")


def forget_highest_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def highest_memory() -> int:
    """Resident memory at its highest (kB)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _endless(head: bytes) -> Iterator[bytes]:
    yield head
    for _ in range(4000):
        yield bytes(LARGEST)


def _half_way() -> Iterator[bytes]:
    for number in range(1, 65_536):
        yield publication(b"a/b", bytes(60_000), qos=2, number=number)


RAMBLING: dict[str, tuple[int, Callable[[], Iterator[bytes]]]] = {
    "CONNACK of 256 MB": (1, lambda: _endless(b"\x20\xff\xff\xff\x7f\x00\x00\x00")),
    "publication of 256 MB": (8, lambda: _endless(b"\x30\xff\xff\xff\x7f\x00\x03a/b\x00")),
    "QoS 2 that never ends": (8, _half_way),
}


@pytest.mark.parametrize("name", RAMBLING)
async def test_a_broker_does_not_choose_our_memory(name: str) -> None:
    kind, rambling = RAMBLING[name]

    def reply(first: int, content: bytes) -> Iterable[bytes]:
        return rambling() if first >> 4 == kind else honest(first, content)

    forget_highest_memory()
    before = highest_memory()
    async with hostile_broker(lambda _: reply, timeout=5.0) as broker:
        if kind == 1:
            await refusal(broker)
        else:
            async with MqttPublisher(broker) as publisher:
                with pytest.raises(PublishError):
                    await publisher.subscribe("a/#")
    assert highest_memory() - before < 30_000  # kB; streams of the broker are in it


async def test_a_raving_broker_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def reply(first: int, content: bytes) -> Iterable[bytes]:
        yield from honest(first, content)
        for number in range(1000 if first >> 4 == 8 else 0):
            yield packet(0x90, number.to_bytes(2, "big") + b"\x00\x01")
            yield packet(0xB0, number.to_bytes(2, "big") + b"\x00\x00")
            yield publication(b"a/b", b"")

    async with hostile_broker(lambda _: reply, timeout=5.0) as broker, MqttPublisher(broker) as publisher:
        await publisher.subscribe("a/#")
        for _ in range(1000):
            await next_of(publisher)
    assert [record.getMessage() for record in caplog.records] == []


async def test_what_is_not_read_is_bounded_by_its_bytes() -> None:
    payload = bytes(LARGEST - 100)

    def reply(first: int, content: bytes) -> Iterable[bytes]:
        yield from honest(first, content)
        if first >> 4 == 8:
            for number in range(200):
                yield publication(b"a/%d" % number, payload)

    async with hostile_broker(lambda _: reply, timeout=5.0) as broker, MqttPublisher(broker) as publisher:
        await publisher.subscribe("a/#")
        async with asyncio.timeout(HANGS):
            while publisher.dropped < 201 - INBOX_BYTES // len(payload):  # noqa: ASYNC110 - counted, not told
                await asyncio.sleep(0.01)
        assert (await next_of(publisher)).payload == payload
