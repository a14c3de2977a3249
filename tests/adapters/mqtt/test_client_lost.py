from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.hostile_broker import honest, hostile_broker
from support.mqtt import address, message, refusal
from support.patience import BUSY, HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError, SessionTakenError

pytestmark = pytest.mark.usefixtures("quiet_loop")


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[MqttConfig, asyncio.Event]]:
    """Accepts connections and never answers; says when the client has closed them all."""
    closed = asyncio.Event()
    held: set[asyncio.StreamWriter] = set()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        closed.clear()
        await reader.read(-1)
        writer.close()
        held.remove(writer)
        if not held:
            closed.set()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as listener:
        yield MqttConfig(host="127.0.0.1", port=listener.sockets[0].getsockname()[1], timeout=0.3), closed


async def test_a_server_that_never_answers_is_given_up_and_its_connection_closed() -> None:
    async with silent_server() as (broker, closed), asyncio.timeout(HANGS):
        assert "did not answer in time" in await refusal(broker)
        await closed.wait()


async def test_a_cancelled_opening_leaves_no_connection_behind() -> None:
    async with silent_server() as (broker, closed), asyncio.timeout(HANGS):
        patient = broker.model_copy(update={"timeout": 1.0})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), MqttPublisher(patient):
                pass
        await closed.wait()


async def test_a_frozen_broker_is_noticed_within_the_timeout(server: Mosquitto) -> None:
    async with MqttPublisher(address(server, timeout=0.5)) as publisher:
        server.freeze()
        begin = time.monotonic()
        with pytest.raises(PublishError, match="did not answer in time"):
            await publisher.publish(message("m1"))
        assert time.monotonic() - begin < 1.0 * BUSY


async def test_a_publication_waiting_for_a_broker_that_dies_fails_at_once(server: Mosquitto) -> None:
    async with MqttPublisher(address(server, timeout=30.0)) as publisher:
        server.freeze()
        waiting = asyncio.create_task(publisher.publish(message("m1")))
        await asyncio.sleep(0.05)  # let it reach the socket
        server.kill()
        begin = time.monotonic()
        with pytest.raises(PublishError, match="closed the connection; check that it runs"):
            await waiting
        assert "closed the connection" in str(await publisher.closed())
        with pytest.raises(PublishError):
            await publisher.publish(message("m2"))
        assert [m async for m in publisher.received()] == []
        assert time.monotonic() - begin < 1.0 * BUSY


async def test_why_the_broker_ended_the_connection_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, settings="message_size_limit 200") as server:
        async with MqttPublisher(address(server)) as publisher:
            for _ in range(2):
                with pytest.raises(PublishError) as caught:
                    await publisher.publish(message("x" * 300))
                assert str(caught.value) == (
                    f"broker 127.0.0.1:{server.port} ended the connection: "
                    "it rejects the message as malformed or too large; raise its packet limit, or see its log"
                )


async def test_a_second_connection_with_the_same_client_id_ends_the_first(server: Mosquitto) -> None:
    first_one, second_one = (MqttPublisher(address(server), client_id="box") for _ in range(2))
    async with first_one as first, second_one as second, asyncio.timeout(HANGS):
        await first.closed()
        await second.publish(message("m1"))


async def test_a_session_that_was_taken_over_is_told_whenever_it_shows() -> None:
    """Newer brokers say so; the ones of Debian 12 just hang up."""

    def reply(first: int, content: bytes) -> Iterable[bytes]:
        return [*honest(first, content), b"\xe0\x02\x8e\x00"] if first >> 4 == 1 else []

    async with hostile_broker(lambda _: reply) as broker, MqttPublisher(broker) as publisher:
        told = await publisher.closed()
        assert str(told).endswith("another agent uses this site; give each box its own")
        for asking in (publisher.publish(message("m1")), publisher.subscribe("a/#")):
            with pytest.raises(SessionTakenError):
                await asking
