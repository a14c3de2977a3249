from __future__ import annotations

import random
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.disk import full_disk
from support.documents import alert, health, state, utterance

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.storage.salvage import salvage
from vser_stream.core.wire.documents import SiteStatus, message_of, status_message
from vser_stream.errors import OutboxError
from vser_stream.values import Message

NOW = 1_800_000_000.0


def message(
    name: str, *, priority: int = 0, topic: str = "t", retain: bool = False, expires_at: float | None = None
) -> Message:
    return Message(topic, b"{}", 1, retain, name, priority=priority, expires_at=expires_at)


def drained(outbox: SqliteOutbox, *, skip: tuple[str, ...] = ()) -> list[str]:
    """Ids in the order of sending; empties the outbox but for what is skipped."""
    ids = []
    while (waiting := outbox.next(NOW, skip=skip)) is not None:
        outbox.delete(waiting.id)
        ids.append(waiting.id)
    return ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_a_message_comes_back_as_it_was_put_also_after_opening_again(path: Path) -> None:
    full = Message("a/b", b"\x00\xffx", qos=1, retain=True, id="m1", priority=2, expires_at=NOW + 0.5)
    with SqliteOutbox(path) as outbox:
        outbox.put(full)
    with SqliteOutbox(path) as outbox:
        assert outbox.next(NOW) == full
        assert (len(outbox), list(outbox)) == (1, [full])


def test_what_a_message_is_about_waits_with_it(path: Path) -> None:
    told = [
        message_of(alert(), "a"),
        message_of(health(), "h"),
        status_message("home-1", SiteStatus.ONLINE, "o"),
        message_of(state(), "s"),
        message_of(utterance(), "u"),
    ]
    with SqliteOutbox(path) as outbox:
        outbox.commit(told)
    with SqliteOutbox(path) as outbox:
        assert sorted(outbox, key=lambda one: one.id) == told


def test_the_most_urgent_is_first_and_the_oldest_of_equals(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        for name, priority in (("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 2)):
            outbox.put(message(name, priority=priority))
        assert [m.id for m in outbox] == ["c", "e", "b", "d", "a"]
        assert drained(outbox) == ["c", "e", "b", "d", "a"]
        assert len(outbox) == 0


def test_the_same_id_is_kept_once(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        for _ in range(2):
            outbox.put(message("a"))
            outbox.put(message("r", topic="state", retain=True))
        assert drained(outbox) == ["a", "r"]


def test_a_retained_message_replaces_the_waiting_retained_ones_of_its_topic_only(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("event", topic="state"))
        outbox.put(message("old", topic="state", retain=True, priority=2))
        outbox.put(message("other", topic="health", retain=True))
        outbox.put(message("new", topic="state", retain=True))
        assert drained(outbox) == ["event", "other", "new"]


def test_the_last_word_of_a_topic_is_sent_before_the_topic_is_cleared(path: Path) -> None:
    cleared = Message("state", b"", 1, retain=True, id="cleared")
    with SqliteOutbox(path) as outbox:
        outbox.put(message("last word", topic="state", retain=True))
        outbox.put(cleared)
        assert [one.id for one in outbox] == ["last word", "cleared"]
        outbox.put(message("back", topic="state", retain=True))
        assert [one.id for one in outbox] == ["back"]


def test_discarded_topics_lose_their_retained_messages_only(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("event", topic="state"))
        outbox.put(message("old", topic="state", retain=True))
        outbox.put(message("other", topic="health", retain=True))
        outbox.discard({"state", "status"})
        assert drained(outbox) == ["event", "other"]


def test_an_expired_message_is_dropped_and_counted(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("late", priority=2, expires_at=NOW))
        outbox.put(message("in time", expires_at=NOW + 1))
        assert drained(outbox) == ["in time"]
        assert (outbox.expired, len(outbox)) == (1, 0)


def test_skipped_topics_stay(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("a", topic="refused", priority=2))
        outbox.put(message("b"))
        assert drained(outbox, skip=("refused",)) == ["b"]
        assert drained(outbox) == ["a"]


def test_above_the_limit_the_least_important_oldest_goes_but_never_an_urgent_one(path: Path) -> None:
    with SqliteOutbox(path, limit=3) as outbox:
        for name, priority in (
            ("a", 1),
            ("b", 0),
            ("c", 0),
            ("d", 2),
            ("e", 2),
            ("f", 3),
            ("g", 2),
            ("h", 1),
        ):
            outbox.put(message(name, priority=priority))
        assert [m.id for m in outbox] == ["f", "d", "e", "g"]
        assert outbox.evicted == 4


def test_age_is_that_of_the_message_waiting_longest(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        assert outbox.oldest(NOW) == 0.0
        before = time.time()
        outbox.put(message("a"))
        after = time.time()
        outbox.put(message("b"))
        assert 100.0 <= outbox.oldest(before + 100) + (after - before) <= 100.0 + 2 * (after - before)


def test_only_the_owner_may_write_the_file_and_only_the_group_read_it(path: Path) -> None:
    path.touch(0o666)
    path.chmod(0o666)
    with SqliteOutbox(path) as outbox:
        outbox.put(message("a"))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert modes == dict.fromkeys(("outbox.db", "outbox.db-wal", "outbox.db-shm"), 0o640)


def test_a_file_that_is_no_database_is_moved_aside_each_under_its_own_name(path: Path) -> None:
    for n in (1, 2):
        path.write_bytes(b"power cut" * 1000)
        with SqliteOutbox(path) as outbox:
            assert (outbox.aside, len(outbox)) == (path.with_name(f"outbox.db.corrupt-{n}"), 0)
            outbox.put(message("a"))
            assert drained(outbox) == ["a"]
        assert path.with_name(f"outbox.db.corrupt-{n}").read_bytes() == b"power cut" * 1000
        path.unlink()


def test_a_database_damaged_inside_is_moved_aside_with_its_journal(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        for n in range(200):
            outbox.put(message(str(n)))
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 4 : 4096 * 6] = bytes(4096 * 2)
    path.write_bytes(damaged)
    with closing(sqlite3.connect(path)) as reader:  # as long as somebody reads, the journal stays
        assert reader.execute("SELECT count(*) FROM sqlite_master").fetchone() is not None
        with SqliteOutbox(path) as outbox:
            assert outbox.aside == path.with_name("outbox.db.corrupt-1")
            assert len(outbox) == 200  # none of them lay on those pages
            assert path.with_name("outbox.db.corrupt-1-wal").exists()
        assert path.with_name("outbox.db.corrupt-1").read_bytes() == damaged


@pytest.mark.parametrize("damage", ["PRAGMA user_version = 99", "DROP TABLE set_aside"])
def test_where_the_disk_is_full_just_then_a_file_that_cannot_be_used_stays_until_there_is_room(
    path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_room(*given: Any) -> Any:
        with full_disk():
            return salvage(*given)

    with SqliteOutbox(path) as outbox:
        outbox.put(message("panic", priority=3))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(damage)
    outbox = SqliteOutbox(path)
    monkeypatch.setattr("vser_stream.adapters.storage.outbox.salvage", without_room)
    for _ in range(2):
        with pytest.raises(OutboxError):
            outbox.open()
    monkeypatch.undo()
    with outbox:
        assert [one.id for one in outbox] == ["panic"]
        assert [one.name for one in path.parent.glob("outbox.db.*-1")] == [outbox.aside and outbox.aside.name]


def test_a_file_that_cannot_be_opened_is_an_error_and_stays(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutboxError, match=r"outbox\.db cannot be opened .*; check the owner"):
        SqliteOutbox(path).open()
    assert path.is_dir()


def test_a_full_disk_is_an_error_and_loses_nothing_that_was_kept(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("a"))
        with full_disk(), pytest.raises(OutboxError, match=r"cannot store messages .*; free space"):
            outbox.put(message("b"))
        outbox.put(message("c"))
        assert drained(outbox) == ["a", "c"]


def test_what_a_full_disk_does_not_delete_is_not_sent_again_and_deleted_later(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        for name in "abc":
            outbox.put(message(name))
        with full_disk():
            outbox.delete("a")
            outbox.delete("b")
            assert [m.id for m in outbox] == ["c"]
            assert outbox.next(NOW) == message("c")
        outbox.delete("c")
        assert len(outbox) == 0
    with SqliteOutbox(path) as outbox:
        assert list(outbox) == []


def test_one_thread_may_put_while_another_sends(path: Path) -> None:
    ids = [str(n) for n in range(300)]
    with SqliteOutbox(path) as outbox:

        def put_all() -> None:
            for name in ids:
                outbox.put(message(name))

        writer = threading.Thread(target=put_all)
        writer.start()
        sent: list[str] = []
        while writer.is_alive() or len(outbox):
            sent += drained(outbox)
        writer.join()
    assert sent == ids


def test_without_a_path_messages_are_kept_in_memory() -> None:
    with SqliteOutbox(None, limit=1) as outbox:
        outbox.put(message("a"))
        outbox.put(message("b"))
        assert (drained(outbox), outbox.evicted) == (["b"], 1)


WRITER = """
import sys
from pathlib import Path
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import Message
outbox = SqliteOutbox(Path(sys.argv[1]))
for n in range(1_000_000):
    name = f"{sys.argv[2]}-{n}"
    outbox.put(Message("t", b"x" * 500, 1, False, name))
    print(name, flush=True)
"""


def test_what_was_put_before_a_kill_is_there_after_it(path: Path) -> None:
    rng = random.Random(7)  # noqa: S311 - not a secret
    committed: list[str] = []
    for part in range(12):
        command = [sys.executable, "-c", WRITER, str(path), str(part)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            committed += [writer.stdout.readline().strip()]
            time.sleep(rng.uniform(0, 0.03))  # the kill is meant to hit anywhere
            writer.kill()
            committed += writer.stdout.read().split()
    with SqliteOutbox(path) as outbox:
        kept = [m.id for m in outbox]
        assert outbox.aside is None
    # A message may have been committed without its id being printed any more: one in each round.
    assert [name for name in kept if name in set(committed)] == committed
    assert len(kept) <= len(committed) + 12
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_above_the_limit_of_bytes_the_least_important_oldest_go_but_never_an_urgent_one(path: Path) -> None:
    def sized(name: str, size: int, priority: int) -> Message:
        return Message("t", b"x" * size, 1, retain=False, id=name, priority=priority)

    with SqliteOutbox(path, limit_bytes=1000) as outbox:
        outbox.put(sized("a", 400, 1))
        outbox.put(sized("b", 300, 0))
        outbox.put(sized("c", 300, 0))
        assert outbox.evicted == 0
        outbox.put(sized("d", 200, 2))
        assert ([m.id for m in outbox], outbox.evicted) == (["d", "a", "c"], 1)
    with SqliteOutbox(path, limit_bytes=1000) as outbox:
        outbox.put(sized("e", 1200, 3))
        assert ([m.id for m in outbox], outbox.evicted) == (["e", "d"], 2)
        outbox.put(sized("f", 1, 0))
        assert [m.id for m in outbox] == ["e", "d"]
