"""Begins with a Python process that has this folder on its PYTHONPATH: notes which thread touches the disk.

One line for each touch of something below $DISK_WITNESS_FOLDER, or of any SQLite file: thread, what, which.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from typing import Any

_FOLDER = os.environ["DISK_WITNESS_FOLDER"]
_LINES = os.open(os.environ["DISK_WITNESS_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_SPEAKS = ("open", "os.", "shutil.", "tempfile.", "glob.")


def note(what: str, which: object) -> None:
    os.write(_LINES, f"{threading.current_thread().name}\t{what}\t{which}\n".encode())


def witness(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_SPEAKS) and arguments and _is_watched(arguments[0]):
        note(event, os.fspath(arguments[0]))  # type: ignore[call-overload]  # a path: _is_watched


def _is_watched(what: object) -> bool:
    return isinstance(what, str | os.PathLike) and str(what).startswith(_FOLDER)


def _wrapped(module: Any, name: str) -> None:
    """Calls that raise no audit event."""
    real = getattr(module, name)

    def call(first: object, *more: object, **named: object) -> object:
        if isinstance(first, int) or _is_watched(first):
            note(name, first)
        return real(first, *more, **named)

    setattr(module, name, call)


class Witnessed(sqlite3.Connection):
    def __init__(self, database: str, *more: Any, **named: Any) -> None:
        super().__init__(database, *more, **named)
        if database != ":memory:":
            note("sqlite3.connect", database)
            self.set_trace_callback(lambda statement: note("sqlite3", " ".join(statement.split())[:60]))


_connect = sqlite3.connect


def connect(*given: Any, **named: Any) -> sqlite3.Connection:
    return _connect(*given, factory=Witnessed, **named)


if "vser_stream" in sys.orig_argv:
    sqlite3.connect = connect  # type: ignore[assignment]  # the same, watched
    sys.addaudithook(witness)
    for name in ("fsync", "fdatasync", "stat", "lstat", "replace", "access"):
        _wrapped(os, name)
