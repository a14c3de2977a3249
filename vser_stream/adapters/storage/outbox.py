"""What must survive a crash, in one SQLite file.

Messages that wait for the broker, what each source must know after a restart, and evidence. All
of one event is on the disk when :meth:`SqliteOutbox.commit` returns, or nothing of it: the
journal is a write-ahead log with ``synchronous=FULL``, one fsync for each commit.

All threads share one connection under one lock. Both sides write (``delete`` is a write
too), so a second connection would only turn the lock into SQLite's busy waiting, and what
is hidden after a failed deletion (``temp.gone``) belongs to a connection.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Self

from vser_stream.adapters.storage import audit_chain
from vser_stream.adapters.storage.database_rows import (
    COLUMNS,
    advice,
    is_damage,
    is_memory,
    is_outage,
    message_of,
    row_of,
)
from vser_stream.adapters.storage.database_schema import (
    ForeignSchemaError,
    NewerSchemaError,
    check_owner,
    check_whole,
    damaged,
    errors_in_words,
    say_what_about,
    upgrade,
)
from vser_stream.adapters.storage.salvage import salvage, text
from vser_stream.adapters.storage.state_folder import InUseError
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.errors import OutboxError
from vser_stream.ports import Clock
from vser_stream.values import Memory, Message, Record, Urgency

__all__ = ["SqliteOutbox"]

BUSY = 5.0
"""How long to wait for another process, such as a backup, to release the file (s)."""

TEMPORARY = """
CREATE TEMP TABLE gone (id TEXT PRIMARY KEY);
CREATE TEMP TABLE bad (seq INTEGER PRIMARY KEY);
CREATE TEMP VIEW waiting AS SELECT * FROM main.outbox
WHERE id NOT IN (SELECT id FROM temp.gone) AND seq NOT IN (SELECT seq FROM temp.bad);
"""

_ROW = f"{COLUMNS}, created_at"
_PLACES = ", ".join("?" * len(_ROW.split(", ")))

REST = tuple(name for name in _ROW.split(", ") if name != "payload")
"""Columns of a row that are kept as text when it is set aside."""

_SET_ASIDE_MOST = 1000
"""Rows set aside that are kept."""

_log = logging.getLogger(__name__)


class SqliteOutbox:
    """Messages until they are acknowledged, and all else that survives a crash; all threads may share it.

    The file is opened by whoever first asks for something, so that no other thread touches the disk, and
    one that cannot be opened is tried again each time: every method may raise OutboxError for that. A
    damaged file is not an error, nor is one of a newer release: it is moved aside and a new one is
    started with what can still be read of it, for monitoring must go on; so it is when damage is found
    later. A row that makes no sense is set aside, in a table of its own.

    Args:
        path: The file, created with mode 0600; None keeps messages in memory only.
        limit: Messages above which the least important, oldest one is evicted.
        limit_bytes: The same for their payloads together.
        claim: Called before the file is opened; it raises OSError where that may not be.
        clock: What time it is.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        limit: int = 10_000,
        limit_bytes: int = 64_000_000,
        claim: Callable[[], object] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path, self._claim, self._clock = path, claim, clock
        self._limit, self._limit_bytes = limit, limit_bytes
        self._lock = threading.Lock()
        self.expired = 0
        """Messages dropped because nobody could use them any more."""
        self.evicted = 0
        """Messages dropped because there were too many."""
        self.aside: Path | None = None
        """Where the file that could not be used has been moved."""
        self.set_aside = 0
        """Rows that made no sense."""
        self._broken = ""
        """What was found wrong with the file since it was opened."""
        self._opened: sqlite3.Connection | None = None
        self._at_most = 0
        """Payloads together, or more (bytes): counting at each commit would take longer than the commit."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Open the file where it is not open yet.

        Raises:
            OutboxError: It cannot be opened.
        """
        with self._lock, self._errors("cannot be opened"):
            self._db  # noqa: B018 - opens it

    def close(self) -> None:
        """Close the file; what waits in it stays there."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def put(self, message: Message) -> None:
        """Return once the message is on the disk; see :meth:`commit`."""
        self.commit((message,))

    def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Return once all of it is on the disk; if it fails, nothing is.

        The same id is kept once. A retained message replaces the waiting retained ones of
        its topic, as subscribers would only see the last; an empty one, which clears the topic,
        comes after its last word.

        Raises:
            OutboxError: The disk is full, read-only or broken.
        """
        with self._lock, self._errors("cannot store messages"), self._db:
            for message in messages:
                self._insert(message)
            if memory is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO memory VALUES (?, ?)", (memory.source, memory.document)
                )
            for record in records:
                audit_chain.append(self._db, record, now=self._clock.wall())
            evicted = self._evict()
        if evicted:
            self.evicted += evicted
            _log.warning(
                "outbox is full: evicted=%d limit=%d bytes=%d", evicted, self._limit, self._limit_bytes
            )

    def memories(self) -> list[Memory]:
        """The latest memory of every source.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._lock, self._errors("cannot be read"):
            rows = self._db.execute("SELECT source, document, rowid FROM memory").fetchall()
            for source, document, number in rows:
                if not is_memory((source, document)):
                    self._take_out("memory", "rowid", number)
        return [Memory(*row) for *row, _ in rows if is_memory(row)]

    def memory(self, source: str) -> bytes | None:
        """The latest memory of a source.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._lock, self._errors("cannot be read"):
            row = self._db.execute("SELECT document FROM memory WHERE source = ?", (source,)).fetchone()
        return row[0] if row and isinstance(row[0], bytes) else None

    def forget(self, source: str) -> None:
        """Set the memory of a source aside: it makes no sense.

        Raises:
            OutboxError: The disk keeps it.
        """
        with self._lock, self._errors("cannot set damaged rows aside"):
            self._take_out("memory", "source", source)

    def purge(self, before: float) -> int:
        """Delete evidence from before ``before`` (wall time, s); return how many records.

        Raises:
            OutboxError: The disk deletes nothing.
        """
        with self._lock, self._errors("cannot delete audit records"):
            return audit_chain.purge(self._db, before)

    def next(self, now: float, *, skip: Collection[str] = ()) -> Message | None:
        """The most urgent message, oldest first; expired ones are dropped and counted.

        Args:
            now: Wall time (s).
            skip: Topics and ids to pass over.

        Raises:
            OutboxError: The disk cannot be read.
        """
        places = ", ".join("?" * len(skip))
        with self._lock, self._errors("cannot be read"):
            self._expire(now)
            while row := self._db.execute(
                f"SELECT seq, {COLUMNS} FROM waiting "  # noqa: S608 - placeholders
                f"WHERE topic NOT IN ({places}) AND id NOT IN ({places}) ORDER BY priority DESC, seq LIMIT 1",
                (*skip, *skip),
            ).fetchone():
                if (message := message_of(row[1:])) is not None:
                    return message
                self._take_out("outbox", "seq", row[0])
        return None

    def delete(self, message_id: str) -> None:
        """Forget an acknowledged message.

        If the disk refuses, it is hidden until this object is closed, and deleted with the
        next deletion that works, so it is not sent twice because of a full disk.
        """
        self._remove("id = ?", (message_id,))

    def discard(self, topics: Collection[str]) -> None:
        """Forget the waiting retained messages of ``topics``: a newer one is on its way."""
        places = ", ".join("?" * len(topics))
        self._remove(f"retain AND topic IN ({places})", tuple(topics))

    def oldest(self, now: float) -> float:
        """Age of the message that waits longest (s); 0 when none does.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._lock, self._errors("cannot be read"):
            (created,) = self._db.execute(
                "SELECT min(created_at) FROM waiting WHERE typeof(created_at) IN ('real', 'integer')"
            ).fetchone()
        return 0.0 if created is None else max(0.0, now - created)

    def __len__(self) -> int:
        with self._lock, self._errors("cannot be read"):
            (rows,) = self._db.execute("SELECT count(*) FROM waiting").fetchone()
        return int(rows)

    def __iter__(self) -> Iterator[Message]:
        """All waiting messages in the order of sending, as they were when asked."""
        with self._lock, self._errors("cannot be read"):
            rows = self._db.execute(f"SELECT {COLUMNS} FROM waiting ORDER BY priority DESC, seq").fetchall()  # noqa: S608 - constants
        return (message for message in map(message_of, rows) if message is not None)

    @property
    def _db(self) -> sqlite3.Connection:
        """Under the lock."""
        if self._opened is None:
            self._opened = self._open()
            weakref.finalize(self, self._opened.close)  # the one in memory has nobody to close it
            self._at_most = self._size()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _connect(":memory:")
        self._claim()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            if self._broken:
                raise damaged(self._broken)
            with errors_in_words():
                return _connect_file(self._path)
        except ForeignSchemaError:
            raise
        except NewerSchemaError as exc:
            return self._begin_anew("newer", exc)
        except sqlite3.Error as exc:
            if not is_damage(exc):
                raise
            return self._begin_anew("corrupt", exc)

    def _begin_anew(self, why: str, exc: sqlite3.Error) -> sqlite3.Connection:
        """Start a file with what can still be read of the one that is moved aside."""
        assert self._path is not None  # noqa: S101 - what is in memory only is never damaged
        aside = _move_aside(self._path, why)
        try:
            db, messages, memories = self._refill(aside)
        except (OSError, sqlite3.Error) as failure:
            if isinstance(failure, OSError) or is_outage(failure):
                _move_back(aside, self._path)  # what it holds is asked for again when there is room
            raise
        self._broken, self.aside = "", aside
        _log.error(
            "outbox cannot be used; its audit records remain in the old file: error=%s moved_to=%s "
            "messages=%d memories=%d",
            " ".join(str(exc).split()), aside, messages, memories,
        )  # fmt: skip
        return db

    def _refill(self, aside: Path) -> tuple[sqlite3.Connection, int, int]:
        """A new file, and how many messages and memories of the old one it has."""
        assert self._path is not None  # noqa: S101 - what is in memory only is never damaged
        found = salvage(aside, {"outbox": _ROW, "memory": "source, document"})
        messages = [
            (*row, created if isinstance(created, float) else self._clock.wall())
            for *row, created in found["outbox"]
            if message_of(row) is not None
        ]
        memories = [row for row in found["memory"] if is_memory(row)]
        db = _connect_file(self._path)
        try:
            with db:
                db.executemany(
                    f"INSERT OR IGNORE INTO outbox ({_ROW}) VALUES ({_PLACES})",  # noqa: S608 - constants
                    messages,
                )
                say_what_about(db)
                db.executemany("INSERT OR IGNORE INTO memory VALUES (?, ?)", memories)
        except sqlite3.Error:
            db.close()
            raise
        return db, len(messages), len(memories)

    def _take_out(self, table: str, key: str, value: object) -> None:
        """Set rows aside, or hide them while the disk writes nothing."""
        content, rest = (
            ("payload", " || ', ' || ".join(f"quote({name})" for name in REST))
            if table == "outbox"
            else ("document", "NULL")
        )
        self.set_aside += 1
        _log.error("invalid row set aside: table=%s %s=%s", table, key, value)
        if table == "outbox":
            self._db.execute("INSERT OR IGNORE INTO temp.bad VALUES (?)", (value,))
        try:
            with self._db:
                self._db.execute(
                    "INSERT INTO set_aside (at, of, key, content, rest) "  # noqa: S608 - our own names
                    f"SELECT ?, ?, {key}, {content}, {rest} FROM main.{table} WHERE {key} = ?",
                    (self._clock.wall(), table, value),
                )
                self._db.execute(f"DELETE FROM main.{table} WHERE {key} = ?", (value,))  # noqa: S608 - as above
                self._db.execute(
                    "DELETE FROM set_aside WHERE number <= (SELECT max(number) FROM set_aside) - ?",
                    (_SET_ASIDE_MOST,),
                )
        except sqlite3.Error as exc:
            _log.warning("damaged row cannot be moved aside; ignored in memory: error=%s", exc)
            if not is_outage(exc):
                raise

    def _size(self) -> int:
        """Payloads together (bytes)."""
        (size,) = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM outbox").fetchone()
        return int(size)

    def _insert(self, message: Message) -> None:
        self._at_most += len(message.payload)
        if message.retain and message.payload:
            self._db.execute(
                "DELETE FROM outbox WHERE topic = ? AND retain AND id != ?", (message.topic, message.id)
            )
        self._db.execute(
            f"INSERT INTO outbox ({_ROW}) VALUES ({_PLACES}) ON CONFLICT (id) DO NOTHING",  # noqa: S608 - constants
            (*row_of(message), self._clock.wall()),
        )

    def _evict(self) -> int:
        """Delete what is above the limits, least important and oldest first; return how many."""
        (rows,) = self._db.execute("SELECT count(*) FROM outbox").fetchone()
        if rows <= self._limit and self._at_most <= self._limit_bytes:
            return 0
        size = self._at_most = self._size()
        return self._db.execute(
            "DELETE FROM outbox WHERE seq IN (SELECT seq FROM (SELECT seq, row_number() OVER first AS place, "
            "sum(length(payload)) OVER first - length(payload) AS freed "
            "FROM outbox WHERE priority < ? WINDOW first AS (ORDER BY priority, seq)) "
            "WHERE place <= ? OR freed < ?)",
            (Urgency.ALARM, rows - self._limit, size - self._limit_bytes),
        ).rowcount

    def _expire(self, now: float) -> None:
        """Drop what nobody can use any more; where nothing is, nothing is written."""
        rows = self._db.execute("SELECT id FROM waiting WHERE expires_at <= ?", (now,)).fetchall()
        if rows:
            self._erase("expires_at <= ?", (now,))
            self.expired += len(rows)
            _log.warning("messages expired unsent: count=%d", len(rows))

    def _remove(self, where: str, values: tuple[str, ...]) -> None:
        with self._lock, self._errors("cannot delete delivered messages"):
            self._erase(where, values)

    def _erase(self, where: str, values: tuple[str | float, ...]) -> None:
        try:
            with self._db:
                self._db.execute(
                    f"DELETE FROM main.outbox WHERE {where} OR id IN (SELECT id FROM temp.gone)",  # noqa: S608 - our own clauses
                    values,
                )
                self._db.execute("DELETE FROM temp.gone")
        except sqlite3.Error as exc:
            if not is_outage(exc):
                raise
            with self._db:
                self._db.execute(
                    f"INSERT OR IGNORE INTO temp.gone SELECT id FROM main.outbox WHERE {where}",  # noqa: S608 - our own clauses
                    values,
                )
            _log.warning(
                "cannot delete delivered messages from the outbox; marked as sent in memory: error=%s", exc
            )

    @contextmanager
    def _errors(self, failure: str) -> Iterator[None]:
        try:
            with errors_in_words():
                yield
        except InUseError as exc:
            raise OutboxError(str(exc.strerror)) from exc
        except OSError as exc:
            raise OutboxError(
                f"outbox {self._path} {failure} ({exc.strerror}); "
                "check its folder, the owner of that, and the space on its disk"
            ) from exc
        except sqlite3.Error as exc:
            if self._opened is not None and is_damage(exc):
                self._broken = str(exc)
                self._opened.close()
                self._opened = None
            raise OutboxError(f"outbox {self._path or 'in memory'} {failure} ({exc}); {advice(exc)}") from exc


def _connect(name: str) -> sqlite3.Connection:
    # IMMEDIATE: a transaction that is going to write must not find out later that it may not.
    db = sqlite3.connect(name, timeout=BUSY, isolation_level="IMMEDIATE", check_same_thread=False)
    db.text_factory = text
    try:
        db.execute("PRAGMA temp_store = MEMORY")  # hiding a message must work on a full disk
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        upgrade(db)
        db.executescript(TEMPORARY)
        check_whole(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _connect_file(path: Path) -> sqlite3.Connection:
    # SQLite gives its journal files the mode of the database, so it is set before they exist. The folder
    # says who may come this far: at home its owner, on an installed box the group of the service, too.
    if path.exists():
        _check_owner(path)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o640))
    path.chmod(0o640)
    return _connect(str(path))


def _check_owner(path: Path) -> None:
    """Return if the file may be changed; whether it can be read at all is found out later.

    Raises:
        ForeignSchemaError: It is another program's.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY)) as db:
        db.text_factory = text
        try:
            with errors_in_words():
                check_owner(db)
        except ForeignSchemaError:
            raise
        except sqlite3.Error:
            return


def _move_aside(path: Path, why: str) -> Path:
    """Rename a database that cannot be used; return its new name."""
    aside = next(p for n in count(1) if not (p := path.with_name(f"{path.name}.{why}-{n}")).exists())
    # The journals first: one left beside a new database would be replayed into it.
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _move_back(aside: Path, path: Path) -> None:
    """Undo :func:`_move_aside`; whatever lies there now is of no use."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
        part = aside.with_name(aside.name + suffix)
        if part.exists():
            part.rename(path.with_name(path.name + suffix))
