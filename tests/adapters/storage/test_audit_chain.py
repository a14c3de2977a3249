from __future__ import annotations

import json
import math
import random
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.disk import full_disk

from vser_stream.adapters.storage import audit_chain
from vser_stream.adapters.storage.database_reader import KeptFile, in_use
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.wire.audit_record import GENESIS
from vser_stream.errors import DataError, OutboxError, UserError
from vser_stream.values import Memory, Message, Record


def message(name: str) -> Message:
    return Message("t", b"{}", 1, retain=False, id=name, priority=2)


def record(number: int) -> Record:
    return Record("bed", b'{"n":%d}' % number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def chain(path: Path) -> Path:
    """A file with five records, a day apart, the last one now."""
    with SqliteOutbox(path) as outbox:
        for number in range(5):
            outbox.commit((), records=(record(number),))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE evidence SET created_at = ? - 86400.0 * (5 - id)", (time.time(),))
    return path


def verified(path: Path) -> int:
    with KeptFile(path) as file:
        return file.verify()[0]


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(statement).rowcount == 1


def test_all_of_an_event_is_kept_in_one_commit(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.commit((message("a"), message("b")), memory=Memory("bed", b"1"), records=(record(0),))
        outbox.commit((), memory=Memory("bed", b"2"))
    with SqliteOutbox(path) as outbox, KeptFile(path) as file:
        assert [m.id for m in outbox] == ["a", "b"]
        assert (outbox.memory("bed"), outbox.memory("hall")) == (b"2", None)
        (only,) = file.records()
        assert (only.id, only.source, only.document, only.previous) == (1, "bed", b'{"n":0}', GENESIS)


def test_nothing_of_an_event_is_kept_where_the_disk_refuses(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.commit((message("a"),), memory=Memory("bed", b"1"), records=(record(0),))
        with full_disk(), pytest.raises(OutboxError):
            outbox.commit((message("b"),), memory=Memory("bed", b"2"), records=(record(1),))
        assert ([m.id for m in outbox], outbox.memory("bed")) == (["a"], b"1")
        outbox.commit((), records=(record(2),))
    assert verified(path) == 2


WRITER = """
import sys
from pathlib import Path
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import Memory, Message, Record
outbox = SqliteOutbox(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(int(outbox.memory("bed") or b"0") + 1, 1_000_000):
    outbox.commit(
        (Message("t", b"x" * 3000, 1, False, str(n)),),
        memory=Memory("bed", b"%d" % n),
        records=(Record("bed", b'{"n":%d}' % n),),
    )
"""


def test_a_kill_at_any_moment_leaves_all_of_an_event_or_nothing(path: Path) -> None:
    rng, kills, count = random.Random(3), 0, 0  # noqa: S311 - not a secret
    while kills < 10 or count <= 10:
        kills += 1
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.06))  # the kill is meant to hit anywhere
            writer.kill()
        with SqliteOutbox(path) as outbox, KeptFile(path) as file:
            count = int(outbox.memory("bed") or b"0")
            numbers = [str(n) for n in range(1, count + 1)]
            assert [m.id for m in outbox] == numbers
            assert [str(json.loads(r.document)["n"]) for r in file.records()] == numbers
            assert (file.verify()[0], outbox.aside) == (count, None)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        (
            "UPDATE evidence SET document = CAST('{\"n\":7}' AS BLOB) WHERE id = 3",
            "record 3 was changed",
        ),
        ("UPDATE evidence SET previous = hash WHERE id = 3", "broken at record 3"),
        ("DELETE FROM evidence WHERE id = 3", "broken at record 4, which does not follow 2"),
        ("DELETE FROM evidence WHERE id = 1", "broken at record 2"),
        ("DELETE FROM evidence WHERE id = 5", "ends at record 4, but 5 were written"),
        ("UPDATE evidence SET id = 9 WHERE id = 5", "broken at record 9"),
    ],
)
def test_whatever_is_changed_is_found_and_named(chain: Path, statement: str, complaint: str) -> None:
    assert verified(chain) == 5
    change(chain, statement)
    with pytest.raises(DataError, match=complaint):
        verified(chain)


def test_old_evidence_is_purged_and_the_rest_can_be_verified(chain: Path) -> None:
    with SqliteOutbox(chain) as outbox:
        assert outbox.purge(time.time() - 2.5 * 86_400) == 2
        assert outbox.purge(time.time() - 2.5 * 86_400) == 0
        assert verified(chain) == 3
        assert outbox.purge(math.inf) == 3
        outbox.commit((), records=(record(9),))
        assert verified(chain) == 1
    change(chain, "UPDATE evidence_purged SET hash = 'x'")
    with pytest.raises(DataError, match="broken at record 6"):
        verified(chain)


def test_a_newer_record_among_older_ones_keeps_those_after_it(chain: Path) -> None:
    change(chain, "UPDATE evidence SET created_at = 9e9 WHERE id = 2")
    with KeptFile(chain, writable=True) as file:
        assert file.purge(time.time() - 1) == 1
    assert verified(chain) == 4


def test_of_too_many_records_the_oldest_go(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "MOST", 2)
    with SqliteOutbox(chain) as outbox:
        assert outbox.purge(0.0) == 3
    assert verified(chain) == 2


def test_what_is_purged_is_no_longer_in_any_file(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.commit((), records=(Record("bed", b'{"secret":"' + b"whisper" * 900 + b'"}'),))
        assert any(b"whisper" in file.read_bytes() for file in path.parent.iterdir())
        outbox.purge(math.inf)
        assert not any(b"whisper" in file.read_bytes() for file in path.parent.iterdir())


def test_a_file_of_an_older_release_is_opened_and_keeps_what_waits(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.put(message("a"))
    since_then = ("kind", "site", "source", "event", "alert_id", "made_at", "ended_at")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE memory; DROP TABLE evidence; DROP TABLE evidence_purged; PRAGMA user_version = 0;"
            + "".join(f"ALTER TABLE outbox DROP COLUMN {name};" for name in since_then)
        )
    with KeptFile(path) as file, pytest.raises(OutboxError, match=r"no such table.*has run once"):
        file.verify()
    with SqliteOutbox(path) as outbox:
        outbox.commit((message("b"),), memory=Memory("bed", b"1"), records=(record(0),))
        assert ([m.id for m in outbox], outbox.memory("bed"), outbox.aside) == (["a", "b"], b"1", None)
    assert verified(path) == 1


def test_a_damaged_file_is_left_alone_by_whoever_only_looks(path: Path) -> None:
    path.write_bytes(b"power cut" * 1000)
    with pytest.raises(OutboxError, match="cannot be used"):
        KeptFile(path)
    assert [p.name for p in path.parent.iterdir()] == ["outbox.db"]
    with pytest.raises(UserError, match=re.escape(f"{path}.none: no agent has stored anything")):
        KeptFile(Path(f"{path}.none"))


def test_looking_beside_a_writer_sees_what_it_wrote_and_changes_nothing(path: Path) -> None:
    with SqliteOutbox(path) as outbox, KeptFile(path) as file:
        for number in range(3):
            outbox.commit((message(str(number)),), records=(record(number),))
            assert file.verify()[0] == number + 1
            assert len(file.waiting()) == number + 1
        with pytest.raises(OutboxError, match="readonly"):
            file.purge(math.inf)


def test_evidence_may_be_purged_beside_a_writer_and_the_chain_goes_on(path: Path) -> None:
    with SqliteOutbox(path) as outbox, KeptFile(path, writable=True) as file:
        outbox.commit((), records=(record(0), record(1)))
        assert file.purge(math.inf) == 2
        outbox.commit((), records=(record(2),))
        assert ([one.id for one in file.records()], file.verify()[0]) == ([3], 1)


HOLDER = """
import sys
from pathlib import Path
from vser_stream.adapters.storage.outbox import SqliteOutbox
with SqliteOutbox(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_file_another_process_has_open_is_in_use(path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert in_use(path)
        holder.communicate()
    assert not in_use(path)
