from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.delivery import STATE, Subscriber, alert, conditions_of, connected, deliver, retained, running
from support.disk import full_disk
from support.patience import BUSY, HANGS

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.technical_condition import ConditionName

pytestmark = pytest.mark.usefixtures("quiet_loop")


async def test_a_full_disk_delays_nothing_and_what_it_refused_is_saved_later(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = deliver(outbox, server, subscriber)
    outbox.put(alert("before"))
    async with running(delivery):
        await subscriber.until_count(1)
        with full_disk():
            for name in "ab":
                begin = time.monotonic()
                await delivery.keeper.put(alert(name, priority=2))
                await subscriber.until(lambda payloads, name=name: name in payloads)  # type: ignore[misc]  # default binds
                assert time.monotonic() - begin < 0.5 * BUSY
            assert [one.name for one in conditions_of(delivery)] == [ConditionName.DISK]
            server.freeze()
            await delivery.keeper.put(alert("c"))
            await delivery.keeper.put(alert("d"))
        assert len(outbox) == 0
        await delivery.keeper.put(alert("e"))
        assert [m.id for m in outbox] == ["c", "d", "e"]
        assert list(conditions_of(delivery)) == []
        server.thaw()
        await subscriber.until(lambda payloads: payloads[-1] == "e")
        assert (await delivery.counters()).unsaved == 4
    assert sorted(set(subscriber.payloads)) == ["a", "b", "before", "c", "d", "e"]
    assert [r.levelname for r in caplog.records if "in memory only" in r.message] == ["ERROR"]


async def test_what_is_in_memory_only_takes_its_place_among_what_is_on_the_disk(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    await delivery.keeper.put(alert("a"))
    await delivery.keeper.put(retained(STATE, "old state"))
    with full_disk():
        await delivery.keeper.put(retained(STATE, "new state"))
        await delivery.keeper.put(alert("b", priority=2))
        await delivery.keeper.put(alert("c"))
    async with running(delivery):
        assert await subscriber.until_count(4) == ["b", "a", "new state", "c"]


async def test_a_disk_that_hangs_delays_an_urgent_message_by_a_second_and_sends_it_once(
    path: Path, outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # all writers wait
        begin = time.monotonic()
        await delivery.keeper.put(alert("a", priority=2))
        await delivery.keeper.put(alert("b", priority=2))
        await subscriber.until_count(2)
        assert time.monotonic() - begin < 2.0 * BUSY
        other.execute("ROLLBACK")
        other.close()
        async with asyncio.timeout(HANGS):
            while len(outbox) > 0:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        await delivery.keeper.put(alert("c"))
        assert await subscriber.until_count(3) == ["a", "b", "c"]


@pytest.fixture
def damaged(path: Path) -> Path:
    path.write_bytes(b"power cut" * 1000)
    return path


async def test_what_an_earlier_agent_kept_and_nobody_can_read_is_told_with_its_new_place(
    damaged: Path, server: Mosquitto, subscriber: Subscriber
) -> None:
    outbox = SqliteOutbox(damaged)
    delivery = deliver(outbox, server, subscriber)
    assert list(conditions_of(delivery)) == []
    async with running(delivery):
        await delivery.keeper.put(alert("a"))
        await subscriber.until_count(1)
        (told,) = conditions_of(delivery)
    outbox.close()
    assert (told.name, told.priority) == (ConditionName.DISK, "low")
    assert f"was moved to {damaged}.corrupt-1" in told.reason
