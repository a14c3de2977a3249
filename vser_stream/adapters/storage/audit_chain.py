"""Evidence records in the agent's SQLite file: a chain in which every byte is vouched for.

The hash of a record covers its document and the hash before it. What is purged leaves the last hash
behind, so the rest can still be verified. Whoever can write the file can write a new chain: keep the
latest hash elsewhere to notice that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from vser_stream.core.wire.audit_record import GENESIS, chained
from vser_stream.errors import DataError
from vser_stream.values import Record

__all__ = ["Chained", "append", "purge", "record", "records", "verify"]

MOST = 50_000
"""Records kept at most, some 200 MB: a box nobody looks after must not fill its disk."""

COLUMNS = "id, source, created_at, document, previous, hash"


@dataclass(frozen=True, slots=True)
class Chained:
    """A record in its place."""

    id: int
    source: str
    created_at: float
    """Wall time (s)."""

    document: bytes
    previous: str
    """Hash of the record before it."""

    hash: str


def append(db: sqlite3.Connection, new: Record, *, now: float) -> None:
    """Put a record at the end of the chain, inside the caller's transaction; ``now`` is wall time (s)."""
    last = db.execute("SELECT hash FROM evidence ORDER BY id DESC LIMIT 1").fetchone()
    (previous,) = last or (_start(db)[1],)
    if not isinstance(previous, str) or not previous.isprintable():
        previous = GENESIS  # it is damaged; verify() names it, and what follows can be verified again
    db.execute(
        "INSERT INTO evidence (source, created_at, document, previous, hash) VALUES (?, ?, ?, ?, ?)",
        (new.source, now, new.document, previous, chained(previous, new.document)),
    )


def purge(db: sqlite3.Connection, before: float) -> int:
    """Delete the records from the first one on that are older than ``before``, and those above the limit.

    Args:
        db: Outside a transaction.
        before: Wall time (s); infinity for all.

    Returns:
        How many.
    """
    # Deleted rows are overwritten, not only forgotten; it costs too much for all the others.
    db.execute("PRAGMA secure_delete = ON")
    try:
        with db:
            deleted = _purge(db, before)
    finally:
        db.execute("PRAGMA secure_delete = OFF")
    if deleted:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the journal holds them, too
    return deleted


def _purge(db: sqlite3.Connection, before: float) -> int:
    db.execute("BEGIN IMMEDIATE")
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM evidence").fetchone()
    (kept,) = db.execute("SELECT min(id) FROM evidence WHERE created_at >= ?", (before,)).fetchone()
    upto = max(last if kept is None else kept - 1, last - MOST)
    gone = db.execute(
        "SELECT id, hash FROM evidence WHERE id <= ? ORDER BY id DESC LIMIT 1", (upto,)
    ).fetchone()
    if gone is None:
        return 0
    db.execute("INSERT OR REPLACE INTO evidence_purged VALUES (1, ?, ?)", gone)
    return db.execute("DELETE FROM evidence WHERE id <= ?", (upto,)).rowcount


def _start(db: sqlite3.Connection) -> tuple[int, str]:
    """Id and hash of what came before the first record."""
    purged = db.execute("SELECT id, hash FROM evidence_purged").fetchone()
    return purged or (0, GENESIS)


def records(db: sqlite3.Connection) -> Iterator[Chained]:
    """All records, oldest first.

    Raises:
        DataError: One is damaged.
    """
    for row in db.execute(f"SELECT {COLUMNS} FROM evidence ORDER BY id"):  # noqa: S608 - constants
        yield _whole(Chained(*row))


def record(db: sqlite3.Connection, number: int) -> Chained | None:
    """One record."""
    row = db.execute(f"SELECT {COLUMNS} FROM evidence WHERE id = ?", (number,)).fetchone()  # noqa: S608 - constants
    return _whole(Chained(*row)) if row else None


def _whole(one: Chained) -> Chained:
    """A record whose every value is of its kind; whether it is what was written is for :func:`verify`."""
    words = (one.source, one.previous, one.hash)
    if (
        not isinstance(one.document, bytes)
        or not isinstance(one.created_at, float)
        or not all(isinstance(word, str) and word.isprintable() for word in words)
    ):
        raise DataError(f"audit record {one.id} is damaged")
    return one


def verify(db: sqlite3.Connection) -> tuple[int, str]:
    """Walk the chain; return how many records it has, and the latest hash.

    Raises:
        DataError: A record was changed, removed, or put in later; the first such is named.
    """
    last, previous = _start(db)
    count = 0
    for one in records(db):
        if one.id != last + 1 or one.previous != previous:
            raise DataError(
                f"audit records: the chain is broken at record {one.id}, which does not follow {last}"
            )
        if one.hash != chained(one.previous, one.document):
            raise DataError(f"audit record {one.id} was changed: its hash differs")
        last, previous, count = one.id, one.hash, count + 1
    given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'evidence'").fetchone()
    if given is not None and given[0] != last:
        raise DataError(f"audit records: the chain ends at record {last}, but {given[0]} were written")
    return count, previous
