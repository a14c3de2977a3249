"""An older database is upgraded whole, a newer one is left as it is and told in one line."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from support.command import vser_stream
from support.daemon import configuration
from support.decisions import START
from support.documents import alert, every_kind

from vser_stream.adapters.storage import database_schema
from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.wire.documents import message_of
from vser_stream.core.wire.source_snapshot import recall
from vser_stream.errors import ConfigError, OutboxError
from vser_stream.values import Message

OLD = Path(__file__).with_name("outbox-0.1.0.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def old(path: Path) -> Path:
    """What 0.1.0 kept of a panic alarm."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD.read_text())
    return path


def asked(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(question).fetchall()


def shape(path: Path) -> list[tuple[object, ...]]:
    return [
        *asked(path, "SELECT type, name, sql FROM sqlite_master ORDER BY name"),
        *asked(path, "PRAGMA user_version"),
        *asked(path, "PRAGMA application_id"),
    ]


def made_newer(path: Path) -> bytes:
    with SqliteOutbox(path):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {database_schema.VERSION + 1}")
    return path.read_bytes()


def test_what_0_1_0_kept_is_upgraded_and_all_of_it_is_there(old: Path, tmp_path: Path) -> None:
    before = asked(old, "SELECT id, topic, payload FROM outbox ORDER BY seq")
    (remembered,) = asked(old, "SELECT document FROM memory")
    with KeptFile(old) as file:  # a verb reads it as it is
        assert file.verify()[0] == 2
    with SqliteOutbox(old) as outbox:
        document = outbox.memory("bed")
        assert len(outbox) == len(before) == 2
    assert document is not None
    assert isinstance(remembered[0], bytes)
    assert json.loads(document) == json.loads(remembered[0]) | {"schema": "vser.memory/1", "baseline": None}
    known = recall(document, features="any")
    assert known.alarm.alarm is not None
    assert (known.alarm.alarm.level, known.alarm.pause is not None) == ("panic", True)
    assert (known.story.seq, known.story.alert_id, known.baseline) == (1, "0" * 31 + "1", None)
    assert asked(old, "SELECT id, topic, payload FROM outbox ORDER BY seq") == before
    with KeptFile(old) as file:
        assert file.verify()[0] == 2
    with SqliteOutbox(tmp_path / "new.db"):
        assert shape(tmp_path / "new.db") == shape(old)
    assert shape(old)[-2:] == [(database_schema.VERSION,), (database_schema.APPLICATION,)]


@pytest.fixture
def second(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Message]]:
    """Documents that wait in a database of schema 2, whose messages knew nothing beside their payload."""
    times = [START + 3.25, START + 0.001, START + 86_399.999]
    told = [
        *(message_of(alert(published_at=at), f"a{at}") for at in times),
        *(message_of(document, str(number)) for number, document in enumerate(every_kind())),
        Message("homeassistant/device/home-1/config", b'{"device":{}}', 1, retain=True, id="h", priority=0),
        Message("vser/v1/home-1/hall/state", b"", 1, retain=True, id="cleared"),
    ]
    with monkeypatch.context() as older:
        older.setattr(database_schema, "_STEPS", database_schema._STEPS[:2])  # noqa: SLF001 - as that release had them
        older.setattr(database_schema, "VERSION", 2)
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            database_schema.upgrade(db)
            with db:
                db.executemany(
                    "INSERT INTO outbox (topic, payload, qos, retain, id, priority, expires_at, created_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, 1.0)",
                    [(m.topic, m.payload, m.qos, m.retain, m.id, m.priority, m.expires_at) for m in told],
                )
    return path, told


def by_id(messages: Iterable[Message]) -> dict[str, Message]:
    return {message.id: message for message in messages}


def test_messages_of_an_older_schema_are_about_what_new_ones_are(second: tuple[Path, list[Message]]) -> None:
    path, told = second
    with SqliteOutbox(path) as outbox:
        assert by_id(outbox) == by_id(told)
    assert ("event", "TEXT") in asked(path, "SELECT name, type FROM pragma_table_info('outbox')")


def test_so_are_those_saved_from_a_damaged_file_of_an_older_schema(
    second: tuple[Path, list[Message]],
) -> None:
    path, told = second
    pages = bytearray(path.read_bytes())
    pages[:4096] = bytes(4096)
    path.write_bytes(pages)
    with SqliteOutbox(path) as outbox:
        assert by_id(outbox) == by_id(told)
        assert outbox.aside is not None


def test_so_are_those_saved_from_an_older_file_with_a_table_nobody_made(
    second: tuple[Path, list[Message]],
) -> None:
    path, told = second
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE strange (x)")  # no release made it, so the file is no longer whole
    with SqliteOutbox(path) as outbox:
        assert by_id(outbox) == by_id(told)
        assert outbox.aside is not None


def test_a_row_that_cannot_be_read_stops_no_upgrade(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("INSERT INTO memory VALUES ('hall', X'FF7B')")
    with SqliteOutbox(old) as outbox:
        assert outbox.memory("hall") == b"\xff{"
        assert outbox.memory("bed") is not None


def test_an_upgrade_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shape(old)
    broken = (*database_schema._STEPS, ("CREATE TABLE half (id)", "CREATE TABLE half (id)"))  # noqa: SLF001 - the steps of a later release
    monkeypatch.setattr(database_schema, "_STEPS", broken)
    monkeypatch.setattr(database_schema, "VERSION", len(broken))
    with pytest.raises(OutboxError, match="table half already exists"):
        SqliteOutbox(old).open()
    assert shape(old) == before


def test_the_agent_goes_on_beside_a_newer_file_which_stays_as_it_is(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = made_newer(path)
    with caplog.at_level(logging.ERROR), SqliteOutbox(path) as outbox:
        assert outbox.aside == path.with_name("outbox.db.newer-1")
        assert len(outbox) == 0
    assert path.with_name("outbox.db.newer-1").read_bytes() == newer
    assert "it was written by a newer vser-stream" in caplog.text


def test_a_verb_refuses_a_newer_file_in_one_line(path: Path) -> None:
    newer = made_newer(path)
    with pytest.raises(ConfigError, match=r"outbox\.db: it was written by a newer vser-stream .*; use that"):
        KeptFile(path)
    config = configuration(path.parent, 1)
    path.parent.joinpath("state").mkdir()
    path.rename(path.parent / "state/outbox.db")
    for verb in (("outbox", "ls"), ("outbox", "flush"), ("records", "ls")):
        done = vser_stream(*verb, "--config", config)
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
        assert "it was written by a newer vser-stream" in done.stderr
    assert (path.parent / "state/outbox.db").read_bytes() == newer
