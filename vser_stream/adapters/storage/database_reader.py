"""The agent's database, seen from outside.

The agent may be running: reading opens the file read-only, and nothing is created or moved aside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from vser_stream.adapters.storage import audit_chain
from vser_stream.adapters.storage.database_rows import is_busy, is_damage
from vser_stream.adapters.storage.database_schema import NewerSchemaError, errors_in_words, version_of
from vser_stream.adapters.storage.salvage import text
from vser_stream.errors import ConfigError, OutboxError, UserError

__all__ = ["KeptFile", "in_use"]

PATIENCE = 5.0
"""How long to wait for the agent's transaction (s)."""

MAY_NOT = "permission denied; run this as root, as the agent's user or as a member of its group"


class KeptFile:
    """What an agent keeps.

    Args:
        path: The agent's database.
        writable: For :meth:`purge`.

    Raises:
        UserError: There is no such file.
        ConfigError: A newer release wrote it.
        OutboxError: It cannot be opened.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self._path = path
        try:
            path.open("rb").close()
        except PermissionError as exc:
            raise UserError(f"{path}: {MAY_NOT}") from exc
        except OSError as exc:
            raise UserError(
                f"{path}: no agent has stored anything here; check state_dir in the configuration"
            ) from exc
        with self._errors():
            self._db = _open(path, "mode=rw") if writable else _read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def records(self) -> Iterator[audit_chain.Chained]:
        """All evidence, oldest first."""
        with self._errors():
            yield from audit_chain.records(self._db)

    def record(self, number: int) -> audit_chain.Chained:
        """One record.

        Raises:
            UserError: There is none of that id.
        """
        with self._errors():
            found = audit_chain.record(self._db, number)
        if found is None:
            raise UserError(f"{self._path}: no record {number}; see: vser-stream records ls")
        return found

    def verify(self) -> tuple[int, str]:
        """Walk the chain of evidence; return how many records it has, and the latest hash.

        Raises:
            DataError: A record was changed, removed, or put in later.
        """
        with self._errors():
            self._db.execute("BEGIN")  # one view of it all, whatever the agent appends
            try:
                return audit_chain.verify(self._db)
            finally:
                self._db.execute("ROLLBACK")

    def purge(self, before: float) -> int:
        """Delete evidence from before ``before`` (wall time, s); return how many records."""
        with self._errors():
            return audit_chain.purge(self._db, before)

    def waiting(self) -> list[tuple[str, float, int, str, int]]:
        """Id, wall time (s), priority, topic and size (bytes) of each message, in the order of sending."""
        query = (
            "SELECT id, created_at, priority, topic, length(payload) FROM outbox ORDER BY priority DESC, seq"
        )
        with self._errors():
            return self._db.execute(query).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with errors_in_words():
                yield
        except NewerSchemaError as exc:
            raise ConfigError(f"{self._path}: {exc}") from exc
        except sqlite3.Error as exc:
            what_to_do = (
                "the agent moves a damaged file aside when it next starts, and goes on with what can be read"
                if is_damage(exc)
                else "run this as the agent's user, after this release of the agent has run once"
            )
            raise OutboxError(f"{self._path}: cannot be used ({exc}); {what_to_do}") from exc


def _read(path: Path) -> sqlite3.Connection:
    """Open it for reading only.

    SQLite makes a journal even then, which is refused to who may only read the folder. Where there is
    none nobody writes, and none is needed.
    """
    try:
        return _open(path, "mode=ro")
    except sqlite3.OperationalError:
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return _open(path, "immutable=1")


def _open(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=PATIENCE, isolation_level=None
    )
    db.text_factory = text
    try:
        version_of(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def in_use(path: Path) -> bool:
    """Whether another process, such as the agent, has the database open."""
    with closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            return is_busy(exc)
    return False
