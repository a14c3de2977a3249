"""Whatever a disk does to the agent's database, every message it left alone comes out."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import documents
from support.flips import flipped

from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.wire.documents import message_of
from vser_stream.errors import DataError, OutboxError
from vser_stream.values import Memory, Message, Record

ALERTS = [
    Message(
        f"vser/v1/home/bed{n}/alert",
        b'{"schema":"vser.alert/1","n":%d,"rationale":"%s"}' % (n, b"why " * 60),
        qos=1,
        retain=False,
        id=f"alert-{n}",
        priority=2,
    )
    for n in range(6)
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with six alerts that wait, and what two sources remember and rested on."""
    path = tmp_path_factory.mktemp("sound") / "outbox.db"
    with SqliteOutbox(path) as outbox:
        for n, alert in enumerate(ALERTS):
            memory = Memory(f"bed{n % 2}", b'{"schema":"vser.memory/1","n":%d}' % n)
            outbox.commit([alert], memory=memory, records=[Record("bed", b'{"decision":%d}' % n)])
    return path.read_bytes()


def use(path: Path) -> list[Message]:
    """All that an agent does with it; return what came out."""
    with SqliteOutbox(path) as outbox:
        outbox.memories()
        outbox.memory("bed0")
        outbox.commit(
            [Message("vser/v1/home/bed9/alert", b"{}", qos=1, retain=True, id="new", priority=2)],
            memory=Memory("bed0", b"{}"),
            records=[Record("bed", b"{}")],
        )
        found = []
        while (message := outbox.next(0.0)) is not None:
            found.append(message)
            outbox.delete(message.id)
            assert len(found) < 20
        outbox.oldest(0.0)
        outbox.discard({"x"})
        outbox.purge(1.0)
        assert [each.id for each in outbox] == []
    return found


def use_again_and_again(path: Path) -> list[Message]:
    """An error is an outage: the same is tried again, as the agent does."""
    found: list[Message] = []
    for _ in range(4):
        try:
            found += use(path)
        except OutboxError:
            continue
        return found
    raise AssertionError("it never works again")


def test_a_flipped_bit_stops_nothing_and_costs_no_other_message(sound: bytes, tmp_path: Path) -> None:
    for number, damaged in enumerate(flipped(sound, times=100)):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "outbox.db"
        path.write_bytes(damaged)
        found = {message.payload for message in use_again_and_again(path)}
        lost = [alert for alert in ALERTS if alert.payload not in found]
        hurt = [alert for alert in ALERTS if alert.payload not in damaged]
        assert b"{}" in found, number
        # One bit is in one message, or in what says where several are.
        assert len(lost) <= max(len(hurt), 1), number
        shutil.rmtree(folder)


def test_the_rows_on_both_sides_of_a_damaged_one_come_out(sound: bytes, tmp_path: Path) -> None:
    damaged = bytearray(sound)
    last_type = damaged.index(b"alert-4vser/") - 1  # of the row's columns, just before their values
    damaged[last_type] = 24  # a text beyond the end of the row
    path = tmp_path / "outbox.db"
    path.write_bytes(damaged)
    found = {message.id for message in use_again_and_again(path)}
    assert found == {"new", *(alert.id for alert in ALERTS)} - {"alert-4"}


def test_a_flipped_bit_is_no_traceback_for_a_verb(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for damaged in flipped(sound, times=200, seed=1):
        path.write_bytes(damaged)
        try:
            with KeptFile(path) as file:
                file.waiting()
                list(file.records())
                file.verify()
        except (OutboxError, DataError):
            continue


@pytest.mark.parametrize("page", range(1, 12))
def test_a_page_that_is_lost_stops_nothing(sound: bytes, tmp_path: Path, page: int) -> None:
    path = tmp_path / "outbox.db"
    start = (page - 1) * 4096
    assert start < len(sound)
    path.write_bytes(sound[:start] + bytes(4096) + sound[start + 4096 :])
    assert b"{}" in {message.payload for message in use_again_and_again(path)}


def test_a_page_that_is_lost_while_it_runs_is_an_outage_and_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path)
    for alert in ALERTS:
        outbox.put(alert)
    outbox.close()
    with SqliteOutbox(path) as outbox:
        with path.open("r+b") as file:  # behind its back
            file.seek(4096)
            file.write(b"\xff" * 4096)
        change(path, "INSERT INTO memory VALUES ('other', '')")  # so that pages are read again
        with pytest.raises(OutboxError, match="malformed"):
            outbox.put(ALERTS[0])
        outbox.put(ALERTS[0])
        assert outbox.aside is not None
        assert outbox.next(0.0) == ALERTS[0]


@pytest.fixture
def path(sound: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    path.write_bytes(sound)
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


@pytest.mark.parametrize(
    "change_to",
    [
        "topic = 'vser/v1/+/bed/alert'",
        "topic = ''",
        "topic = 'a' || char(0)",
        "topic = CAST(x'ff80' AS TEXT)",
        "topic = x'61'",
        "payload = '{\"schema\"'",
        "payload = CAST('{\"schema\"' AS BLOB)",
        "payload = 7",
        "qos = 3",
        "qos = 'one'",
        "retain = 5",
        "priority = 'high'",
        "priority = x'01'",
        "expires_at = 'soon'",
    ],
)
def test_a_row_that_makes_no_sense_is_set_aside_and_kept(path: Path, change_to: str) -> None:
    change(path, f"UPDATE outbox SET {change_to} WHERE id = 'alert-0'")  # noqa: S608 - from the list above
    with SqliteOutbox(path) as outbox:
        assert [message.id for message in outbox] == [alert.id for alert in ALERTS[1:]]
        assert outbox.next(0.0) == ALERTS[1]
        outbox.delete("alert-1")
        assert outbox.next(0.0) == ALERTS[2]
        assert outbox.set_aside == 1 or outbox.aside is not None
        kept = outbox.aside or path
    with closing(sqlite3.connect(kept)) as db:
        db.text_factory = bytes
        rows = [str(row) for row in db.execute("SELECT * FROM set_aside")]
        rows += [str(row) for row in db.execute("SELECT * FROM outbox")]
    assert sum("alert-0" in row for row in rows) == 1


@pytest.mark.parametrize(
    "change_to",
    [
        "kind = 'alarm'",
        "kind = 7",
        "kind = NULL",
        "site = NULL",
        "source = CAST(x'ff80' AS TEXT)",
        "event = char(27)",
        "alert_id = x'61'",
        "made_at = 'soon'",
        "made_at = -1.0",
        "ended_at = 9e999",
    ],
)
def test_an_alert_goes_although_what_it_is_about_is_damaged(tmp_path: Path, change_to: str) -> None:
    path, told = tmp_path / "outbox.db", message_of(documents.alert(), "a")
    with SqliteOutbox(path) as outbox:
        outbox.put(told)
    change(path, f"UPDATE outbox SET {change_to}")  # noqa: S608 - from the list above
    with SqliteOutbox(path) as outbox:
        assert outbox.next(0.0) == replace(told, about=None)
        assert outbox.set_aside == 0


def test_a_memory_that_makes_no_sense_is_set_aside(path: Path) -> None:
    change(path, "UPDATE memory SET document = 5 WHERE source = 'bed0'")
    change(path, "UPDATE memory SET source = CAST(x'ff' AS TEXT) WHERE source = 'bed1'")
    with SqliteOutbox(path) as outbox:
        assert outbox.memory("bed0") is None
        assert outbox.memories() == []
        assert outbox.set_aside == 2
        outbox.commit((), memory=Memory("bed0", b"{}"))
        assert outbox.memory("bed0") == b"{}"


def test_evidence_goes_on_behind_a_record_whose_hash_is_damaged(path: Path) -> None:
    change(path, "UPDATE evidence SET hash = x'00' WHERE id = 6")
    with SqliteOutbox(path) as outbox:
        outbox.commit((), records=[Record("bed", b"{}")])
    with KeptFile(path) as file, pytest.raises(DataError, match="record 6"):
        file.verify()


def test_the_database_of_another_program_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    change(path, "CREATE TABLE photos (name)")
    path.chmod(0o600)
    before = path.read_bytes()
    outbox = SqliteOutbox(path)
    for _ in range(2):
        with pytest.raises(OutboxError, match=r"database of another program.*; move it away, or"):
            outbox.put(ALERTS[0])
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "photos.db")
    outbox.put(ALERTS[0])
    assert outbox.next(0.0) == ALERTS[0]
    outbox.close()
