"""The shape of the agent's database, and how an older file comes to have it.

A file is the sum of its steps: a new one takes all of them, an older one those it has not taken yet,
in one transaction. Whatever changes what stands in a file, a document in it too, is a new step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

__all__ = [
    "APPLICATION",
    "VERSION",
    "ForeignSchemaError",
    "NewerSchemaError",
    "check_owner",
    "check_whole",
    "damaged",
    "errors_in_words",
    "say_what_about",
    "upgrade",
    "version_of",
]

APPLICATION = 0x76736572
"""``PRAGMA application_id``: "vser", so that file(1), too, knows whose it is. 0 in files of 0.1.0."""

_OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    topic      TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    qos        INTEGER NOT NULL,
    retain     INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    expires_at REAL,
    created_at REAL    NOT NULL
)"""

_EVIDENCE = """
CREATE TABLE IF NOT EXISTS evidence (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     TEXT NOT NULL,
    created_at REAL NOT NULL,
    document   BLOB NOT NULL,
    previous   TEXT NOT NULL,
    hash       TEXT NOT NULL
)"""

_EVIDENCE_PURGED = """
CREATE TABLE IF NOT EXISTS evidence_purged (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    id   INTEGER NOT NULL,
    hash TEXT    NOT NULL
)"""

_SET_ASIDE = """
CREATE TABLE IF NOT EXISTS set_aside (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at     REAL NOT NULL,
    of     TEXT NOT NULL,
    key,
    content,
    rest
)"""
"""Rows that cannot be used, as they are, for whoever wants to look at them."""

_MEMORY_SAYS_ITS_SCHEMA = """
UPDATE memory
SET document = CAST(
    json_set(CAST(document AS TEXT), '$.schema', 'vser.memory/1', '$.baseline', NULL) AS BLOB)
WHERE json_valid(CAST(document AS TEXT))"""

_SAID = "CAST(payload AS TEXT)"


def _time(*names: str) -> str:
    """The first time of these names in a document (Unix s); SQLite knows times to the millisecond."""
    said = ", ".join(f"json_extract({_SAID}, '$.{name}')" for name in names)
    first = f"coalesce({said})" if len(names) > 1 else said
    return f"round((julianday({first}) - 2440587.5) * 86400.0, 3)"


_DOCUMENTS_SAY_WHAT_THEY_ARE_ABOUT = f"""
UPDATE outbox
SET kind = substr(json_extract({_SAID}, '$.schema'), 6, length(json_extract({_SAID}, '$.schema')) - 7),
    site = json_extract({_SAID}, '$.site'),
    source = json_extract({_SAID}, '$.source'),
    event = json_extract({_SAID}, '$.event'),
    alert_id = json_extract({_SAID}, '$.alert_id'),
    made_at = {_time("published_at", "updated_at")},
    ended_at = {_time("ended_at")}
WHERE kind IS NULL
    AND CASE WHEN json_valid({_SAID}) THEN json_extract({_SAID}, '$.schema') END
        IN ('vser.alert/1', 'vser.utterance/1', 'vser.state/1', 'vser.health/1')"""  # noqa: S608 - constants

_STEPS: tuple[tuple[str, ...], ...] = (
    (
        # Files of 0.1.0 have these tables and no version.
        _OUTBOX,
        "CREATE INDEX IF NOT EXISTS outbox_order ON outbox (priority DESC, seq)",
        "CREATE INDEX IF NOT EXISTS outbox_expiry ON outbox (expires_at) WHERE expires_at IS NOT NULL",
        "CREATE TABLE IF NOT EXISTS memory (source TEXT PRIMARY KEY, document BLOB NOT NULL)",
        _EVIDENCE,
        _EVIDENCE_PURGED,
        _MEMORY_SAYS_ITS_SCHEMA,
        f"PRAGMA application_id = {APPLICATION}",
    ),
    (_SET_ASIDE,),
    (
        *(
            f"ALTER TABLE outbox ADD COLUMN {name} TEXT"
            for name in ("kind", "site", "source", "event", "alert_id")
        ),
        *(f"ALTER TABLE outbox ADD COLUMN {name} REAL" for name in ("made_at", "ended_at")),
        _DOCUMENTS_SAY_WHAT_THEY_ARE_ABOUT,
    ),
)

VERSION = len(_STEPS)
"""``PRAGMA user_version`` of what this release writes."""


class NewerSchemaError(sqlite3.DatabaseError):
    """A later release wrote the file; what it means by it cannot be known."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"it was written by a newer vser-stream (schema {version}, this one has {VERSION}); use that"
        )


class ForeignSchemaError(sqlite3.DatabaseError):
    """Another program's database."""

    def __init__(self) -> None:
        super().__init__("it is the database of another program")


def check_owner(db: sqlite3.Connection) -> None:
    """Return if a database is the agent's, or empty.

    Either sign is enough, for one of them may be damaged, and files of 0.1.0 have the second only.

    Raises:
        ForeignSchemaError: It is another program's.
        sqlite3.Error: It cannot be read.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and application != APPLICATION and not {"outbox", "memory"} <= tables:
        raise ForeignSchemaError


def check_whole(db: sqlite3.Connection) -> None:
    """Return if a database has the tables it must have, and its pages and indexes agree.

    Raises:
        sqlite3.DatabaseError: It is damaged.
    """
    with closing(sqlite3.connect(":memory:", isolation_level="IMMEDIATE")) as new:
        upgrade(new)
        if _schema(db) != _schema(new):
            raise damaged("its tables are not those of this program")
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(verdict)


def _schema(db: sqlite3.Connection) -> set[tuple[str, ...]]:
    rows = db.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM main.sqlite_master").fetchall()
    return {tuple(" ".join(str(part).split()) for part in row) for row in rows}


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Where SQLite quotes damaged bytes in an error, Python has another error.

    Raises:
        sqlite3.Error: SQLite's, or that the file is damaged.
    """
    try:
        yield
    except UnicodeDecodeError as exc:
        raise damaged("its tables have names that cannot be read") from exc


def damaged(why: str) -> sqlite3.DatabaseError:
    """What SQLite says of a damaged file."""
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def version_of(db: sqlite3.Connection) -> int:
    """How many steps a file has taken.

    Raises:
        NewerSchemaError: More than there are.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerSchemaError(version)
    return int(version)


def say_what_about(db: sqlite3.Connection) -> None:
    """Give messages of an older release what this one keeps beside their payload."""
    db.execute(_DOCUMENTS_SAY_WHAT_THEY_ARE_ABOUT)


def upgrade(db: sqlite3.Connection) -> None:
    """Take the steps that are missing: all of them, or none where one fails.

    Raises:
        NewerSchemaError: A later release wrote the file; it is left as it is.
        sqlite3.Error: It cannot be upgraded.
    """
    if version_of(db) == VERSION:
        return
    with db:
        db.execute("BEGIN IMMEDIATE")
        for step in _STEPS[version_of(db) :]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
