from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.delivery import STATUS, Subscriber, alert, connected, deliver, retained, running
from support.patience import BUSY, HANGS

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.runtime.delivery.delivery import Delivery
from vser_stream.runtime.delivery.spool import Keeper

pytestmark = pytest.mark.usefixtures("quiet_loop")


async def test_stopping_sends_the_backlog_then_the_goodbye(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber, goodbye=[retained(STATUS, "stopped")])
    async with running(delivery) as task:
        await connected(delivery)
        for name in "abc":
            outbox.put(alert(name))  # nobody notifies
        await delivery.stop(HANGS)
        assert task.done()
    assert await subscriber.until_count(4) == ["a", "b", "c", "stopped"]


async def test_stopping_does_not_wait_for_a_broker_that_is_away_or_frozen(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    away = deliver(outbox, server, subscriber)
    server.stop()
    task = asyncio.create_task(away.run())
    await away.keeper.put(alert("a"))
    begin = time.monotonic()
    await away.stop(HANGS)
    await task
    assert time.monotonic() - begin < HANGS / 5
    server.start()
    frozen = deliver(outbox, server, subscriber)
    task = asyncio.create_task(frozen.run())
    await subscriber.until_count(1)
    server.freeze()
    await frozen.keeper.put(alert("b"))
    begin = time.monotonic()
    await frozen.stop(1.0)
    await task
    assert time.monotonic() - begin < 2.5 * BUSY
    assert [m.id for m in outbox] == ["b"]


async def test_stopping_does_not_wait_for_an_opening_that_hangs(
    outbox: SqliteOutbox, server: Mosquitto
) -> None:
    broker = MqttConfig(host=server.host, port=server.port, timeout=60.0)
    delivery = Delivery(Keeper(outbox), lambda: MqttPublisher(broker))
    server.freeze()
    task = asyncio.create_task(delivery.run())
    await asyncio.sleep(0.1)  # it is waiting for an answer now
    begin = time.monotonic()
    await delivery.stop(HANGS)
    await task
    assert time.monotonic() - begin < HANGS / 5


async def test_cancelling_loses_nothing(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    names = [f"{n:03}" for n in range(100)]
    for name in names:
        outbox.put(alert(name))
    first = asyncio.create_task(deliver(outbox, server, subscriber).run())
    await subscriber.until_count(10)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    assert len(outbox) > 0
    async with running(deliver(outbox, server, subscriber)):
        await subscriber.until(lambda payloads: set(payloads) == set(names))
    # The one in flight may have arrived without its acknowledgement being awaited.
    assert len(subscriber.payloads) <= len(names) + 1


async def test_the_outbox_may_be_closed_once_delivery_has_ended(
    path: Path, server: Mosquitto, subscriber: Subscriber
) -> None:
    with SqliteOutbox(path) as outbox, closing(sqlite3.connect(path, check_same_thread=False)) as other:
        delivery = deliver(outbox, server, subscriber)
        task = asyncio.create_task(delivery.run())
        await connected(delivery)
        server.freeze()
        await delivery.keeper.put(alert("a"))
        await asyncio.sleep(0.05)  # it is in flight now
        other.execute("BEGIN IMMEDIATE")
        saving = asyncio.create_task(delivery.keeper.put(alert("b")))
        server.thaw()
        await subscriber.until_count(1)
        await asyncio.sleep(0.05)  # acknowledged; its deletion waits behind "b"
        task.cancel()
        threading.Timer(0.2, other.rollback).start()
        await asyncio.wait({task})
    await saving
    with SqliteOutbox(path) as outbox:
        assert [m.id for m in outbox] == ["b"]


AGENT = f"""
import asyncio, signal, sys
from pathlib import Path
from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import MqttConfig
from vser_stream.runtime.delivery.delivery import Delivery, Unobserved
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.values import Message

def status(text):
    return Message("{STATUS}", text.encode(), 1, True, text)

class Greeting(Unobserved):
    def greeting(self):
        return [status("online")]

    def farewell(self):
        return [status("stopped")]

async def main():
    broker = MqttConfig(host="127.0.0.1", port=int(sys.argv[1]))
    with SqliteOutbox(Path(sys.argv[2])) as outbox:
        delivery = Delivery(
            Keeper(outbox),
            lambda: MqttPublisher(broker, client_id="agent", will=status("offline")),
            presence=Greeting(),
        )
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        task = asyncio.create_task(delivery.run())
        await stop.wait()
        await delivery.stop({HANGS})
        await task

asyncio.run(main())
"""


@pytest.mark.parametrize(("number", "last"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "offline")])
async def test_subscribers_learn_whether_the_agent_was_stopped_or_died(
    server: Mosquitto, subscriber: Subscriber, path: Path, number: signal.Signals, last: str
) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(server.port), str(path), stderr=subprocess.PIPE
    )
    await subscriber.until_count(1)
    agent.send_signal(number)
    _, errors = await agent.communicate()
    assert errors == b""
    await subscriber.until_count(2)
    await asyncio.sleep(0.1)  # a will after "stopped" would come now
    assert subscriber.payloads == ["online", last]
