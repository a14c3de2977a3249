"""What can still be read of a damaged database.

A page that is lost takes its rows with it and no others: those before it are read from the front of the
table, those behind it from its back, and the rest one by one. Where not even the list of tables can be
read, the first page, which holds little else, is replaced in a copy by that of a new database: tables
are made in the same order, so they begin on the same pages. That page also knows the columns that an
older release did not have.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from vser_stream.adapters.storage.database_schema import errors_in_words, upgrade

__all__ = ["salvage", "text"]

_MOST = 100_000
"""Rows looked for in a table; an outbox holds a tenth."""

_LARGEST = 2**30
"""A larger file is not copied for its first page (bytes)."""

_PAGE = 4096
"""Of every database since SQLite 3.12 (bytes)."""

Row = tuple[Any, ...]


def text(raw: bytes) -> str:
    """Text of a database as it stands there: damaged text is no error until somebody uses it."""
    return raw.decode("utf-8", "surrogateescape")


def salvage(path: Path, tables: dict[str, str]) -> dict[str, list[Row]]:
    """Read rows of a database that nobody has open; it is not changed.

    Args:
        path: The file.
        tables: Columns of each table that is wanted.

    Returns:
        The rows of each table, oldest first; none where none can be read.

    Raises:
        OSError, sqlite3.Error: There is no room to find out.
    """
    found, failed = _read(path, tables)
    if failed and path.stat().st_size <= _LARGEST:
        try:
            again = _read_with_new_page(path, tables)
        except OSError as exc:
            if exc.errno != errno.EIO:  # a disk that dies gives no more than that
                raise
        else:
            found = {table: max(rows, again[table], key=len) for table, rows in found.items()}
    return found


def _read_with_new_page(path: Path, tables: dict[str, str]) -> dict[str, list[Row]]:
    with tempfile.TemporaryDirectory(prefix=".salvage-", dir=path.parent) as scratch:
        copy = Path(scratch, path.name)
        for suffix in ("", "-wal"):
            if (part := path.with_name(path.name + suffix)).exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        _replace_first_page(copy, Path(scratch, "new"))
        return _read(copy, tables)[0]


def _read(path: Path, tables: dict[str, str]) -> tuple[dict[str, list[Row]], bool]:
    """The rows of each table, and whether one that cannot be read has none."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
        db.text_factory = text
        read = {table: _rows(db, table, columns) for table, columns in tables.items()}
    failed = any(not rows and not whole for rows, whole in read.values())
    return {table: rows for table, (rows, _) in read.items()}, failed


def _rows(db: sqlite3.Connection, table: str, columns: str) -> tuple[list[Row], bool]:
    """What can be read of a table, and whether that is all of it."""
    query = f"SELECT rowid, {columns} FROM {table} NOT INDEXED"  # noqa: S608 - our own tables
    found: dict[int, Row] = {}
    for order in ("ASC", "DESC"):
        try:
            with errors_in_words():
                for number, *row in db.execute(f"{query} ORDER BY rowid {order} LIMIT {_MOST}"):
                    found[number] = tuple(row)
            return [found[number] for number in sorted(found)], True
        except sqlite3.Error:
            continue
    _look_between(db, f"{query} WHERE rowid = ?", found, [*found, *_ends(db, table)])
    return [found[number] for number in sorted(found)], False


def _ends(db: sqlite3.Connection, table: str) -> Iterator[int]:
    """The first and the last row, whatever is in them: a row just before a damaged one is read with it."""
    for end in ("min", "max"):
        with contextlib.suppress(sqlite3.Error), errors_in_words():
            (number,) = db.execute(f"SELECT {end}(rowid) FROM {table} NOT INDEXED").fetchone()  # noqa: S608 - as above
            yield from [] if number is None else [number]


def _look_between(db: sqlite3.Connection, query: str, found: dict[int, Row], known: list[int]) -> None:
    """Add what neither end has come to."""
    first, last = min(known, default=0), max(known, default=0)
    for number in range(max(1, first), min(last, first + _MOST) + 1):
        try:
            with errors_in_words():
                rows = [] if number in found else db.execute(query, (number,)).fetchall()
        except sqlite3.Error:
            continue
        found |= {number: tuple(row) for number, *row in rows}


def _replace_first_page(damaged: Path, new: Path) -> None:
    with closing(sqlite3.connect(new, isolation_level="IMMEDIATE")) as db:
        upgrade(db)
        db.execute("PRAGMA journal_mode = WAL")
    page = bytearray(new.read_bytes()[:_PAGE])
    page[28:32] = (damaged.stat().st_size // _PAGE).to_bytes(4, "big")  # its pages
    page[32:40] = bytes(8)  # no free ones: none is written
    with damaged.open("r+b") as file:
        file.write(page)
