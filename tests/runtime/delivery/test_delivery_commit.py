from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support import documents
from support.broker import Mosquitto
from support.delivery import Subscriber, alert, conditions_of, connected, deliver, running
from support.disk import full_disk
from support.patience import BUSY, HANGS

from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.wire.documents import message_of
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.values import Memory, Message, Record

pytestmark = pytest.mark.usefixtures("quiet_loop")


def happened(name: str, at: float) -> Message:
    return message_of(documents.alert(published_at=at, id=name, site="home", source="bed"), name)


async def test_what_was_told_after_an_outage_says_so_with_its_own_time(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    now = time.time()
    async with running(delivery):
        await connected(delivery)
        server.stop()
        for name, at in (("a", now - 60), ("b", now)):
            await delivery.keeper.put(happened(name, at))
        server.start()
        arrived = [json.loads(payload) for payload in await subscriber.until_count(2)]
    assert [(one["id"], one["late"]) for one in arrived] == [("a", True), ("b", False)]
    assert datetime.fromisoformat(arrived[0]["published_at"]).timestamp() == pytest.approx(now - 60, abs=1e-3)


async def test_all_of_an_event_is_kept_and_its_messages_arrive(
    path: Path, outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await delivery.keeper.commit(
            (alert("a", priority=2), alert("b")), memory=Memory("bed", b"1"), records=(Record("bed", b"{}"),)
        )
        assert await subscriber.until_count(2) == ["a", "b"]
    with KeptFile(path) as file:
        assert (file.verify()[0], outbox.memory("bed")) == (1, b"1")


async def test_on_a_full_disk_messages_go_out_memory_is_kept_for_later_and_a_record_counts_as_lost(
    path: Path,
    outbox: SqliteOutbox,
    server: Mosquitto,
    subscriber: Subscriber,
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        with full_disk():
            for n in (b"1", b"2"):
                await delivery.keeper.commit(
                    (alert(f"bed {n!r}"),), memory=Memory("bed", n), records=(Record("bed", n),)
                )
            await delivery.keeper.commit((), memory=Memory("hall", b"3"))
            await subscriber.until_count(2)
            assert [condition.name for condition in conditions_of(delivery)] == ["disk"]
        assert (outbox.memory("bed"), outbox.memory("hall")) == (None, None)
        await delivery.keeper.commit((), memory=Memory("hall", b"4"), records=(Record("hall", b"4"),))
        assert (outbox.memory("bed"), outbox.memory("hall")) == (b"2", b"4")
        assert (await delivery.counters()).unsaved == 4
        assert list(conditions_of(delivery)) == []
    with KeptFile(path) as file:
        assert ([one.source for one in file.records()], file.verify()[0]) == (["hall"], 1)
    assert [r.levelname for r in caplog.records if "in memory only" in r.message] == ["ERROR"]


async def test_a_disk_that_hangs_delays_an_event_by_a_second_and_keeps_its_latest_memory(
    path: Path, outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    delivery = deliver(outbox, server, subscriber)
    async with running(delivery):
        await connected(delivery)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # all writers wait
            begin = time.monotonic()
            await delivery.keeper.commit((alert("a", priority=2),), memory=Memory("bed", b"1"))
            await delivery.keeper.commit((alert("b", priority=2),), memory=Memory("bed", b"2"))
            await subscriber.until_count(2)
            assert time.monotonic() - begin < 2.0 * BUSY
        async with asyncio.timeout(HANGS):
            while list(conditions_of(delivery)):  # what hung is told to be done a moment after it is
                await delivery.keeper.commit(())
                await asyncio.sleep(0.01)
        assert outbox.memory("bed") == b"2"
        await delivery.keeper.put(alert("c"))
        assert await subscriber.until_count(3) == ["a", "b", "c"]


async def test_evidence_is_purged_where_it_is_written(path: Path, outbox: SqliteOutbox) -> None:
    keeper = Keeper(outbox)
    await keeper.commit((), records=(Record("bed", b"{}"), Record("bed", b"[]")))
    assert await keeper.purge(time.time() + 1) == 2
    with KeptFile(path) as file:
        assert list(file.records()) == []


class Counted(SqliteOutbox):
    """Counts how often it waits for the disk."""

    commits = 0

    def commit(self, messages: Sequence[Message], **more: Any) -> None:
        self.commits += 1
        super().commit(messages, **more)


async def test_an_alert_does_not_wait_until_a_disk_that_is_back_has_all_else_one_by_one(path: Path) -> None:
    with Counted(path) as outbox:
        keeper = Keeper(outbox)
        with full_disk():
            for number in range(50):
                await keeper.commit((alert(f"{number}"),))
        outbox.commits = 0
        await keeper.commit((alert("panic", priority=3),))
        assert (len(outbox), outbox.commits) == (51, 2)
