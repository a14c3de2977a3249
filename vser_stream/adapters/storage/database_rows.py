"""Rows of the outbox, and what SQLite may complain about: which ends by itself, and which never does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from vser_stream.adapters.storage.database_schema import ForeignSchemaError
from vser_stream.values import About, Message, MessageKind

__all__ = ["COLUMNS", "advice", "is_busy", "is_damage", "is_memory", "is_outage", "message_of", "row_of"]

_ABOUT = ("kind", "site", "source", "event", "alert_id", "made_at", "ended_at")

COLUMNS = ", ".join(("topic", "payload", "qos", "retain", "id", "priority", "expires_at", *_ABOUT))

_END_OF_TIME = 1e11
"""Later than any time that can be written down (Unix s)."""

_LONGEST_TOPIC = 1000
"""Ours have a fifth of it (characters)."""

_OUTAGES = {
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_READONLY: "check the owner of the file, and whether its disk is mounted read-only",
    sqlite3.SQLITE_PERM: "check the owner of the file",
    sqlite3.SQLITE_CANTOPEN: "check the owner of the file and its folder",
    sqlite3.SQLITE_IOERR: "free space on its disk, or replace it",
    sqlite3.SQLITE_BUSY: "another program, such as a backup, holds it",
    sqlite3.SQLITE_LOCKED: "another program, such as a backup, holds it",
    sqlite3.SQLITE_NOMEM: "free memory",
}
"""Errors that end by themselves or by what an operator does; with any other the file is of no use."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_damage(exc: sqlite3.Error) -> bool:
    """Whether the file itself is at fault."""
    return _code(exc) in _DAMAGE


def _code(exc: sqlite3.Error) -> int:
    """Without what is only of interest to SQLite; 0 where Python itself complains."""
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF


def is_busy(exc: sqlite3.Error) -> bool:
    """Whether another process has it."""
    return _code(exc) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_outage(exc: sqlite3.Error) -> bool:
    """Whether it works again some day."""
    return _code(exc) in _OUTAGES


def advice(exc: sqlite3.Error) -> str:
    """What to do."""
    if isinstance(exc, ForeignSchemaError):
        return "move it away, or set state_dir to a folder of its own"
    return _OUTAGES.get(_code(exc), "a new one is created, with all that can be read of it")


def row_of(message: Message) -> tuple[str | bytes | float | None, ...]:
    """Values of :data:`COLUMNS`."""
    about = message.about
    return (
        message.topic,
        message.payload,
        message.qos,
        message.retain,
        message.id,
        message.priority,
        message.expires_at,
        *(getattr(about, name, None) for name in _ABOUT),
    )


def message_of(row: Sequence[Any]) -> Message | None:
    """A row, or None if a broker would refuse it, or nobody could read it."""
    topic, payload, qos, retain, message_id, priority, expires_at, *about = row
    sound = (
        _is_topic(topic)
        and isinstance(payload, bytes)
        and _is_document(payload)
        and {type(qos), type(retain), type(priority)} == {int}
        and qos in {0, 1, 2}
        and retain in {0, 1}
        and isinstance(message_id, str)
        and message_id.isprintable()
        and (expires_at is None or isinstance(expires_at, float))
    )
    if not sound:
        return None
    return Message(
        topic,
        payload,
        qos,
        bool(retain),
        message_id,
        priority=priority,
        expires_at=expires_at,
        about=_about_of(dict(zip(_ABOUT, about, strict=True))),
    )


def _about_of(said: dict[str, Any]) -> About | None:
    """None where it makes no sense, too: an alert is sent although a disk has damaged what it is about."""
    words = [said[name] for name in ("source", "event", "alert_id") if said[name] is not None]
    times = [said[name] for name in ("made_at", "ended_at") if said[name] is not None]
    sound = (
        said["kind"] in set(MessageKind)
        and all(isinstance(word, str) and word.isprintable() for word in (said["site"], *words))
        and all(isinstance(at, float) and 0.0 <= at < _END_OF_TIME for at in times)
    )
    return About(**said | {"kind": MessageKind(said["kind"])}) if sound else None


def is_memory(row: Sequence[Any]) -> bool:
    """Whether source and document of a memory are what they must be."""
    source, document = row
    return isinstance(source, str) and source.isprintable() and isinstance(document, bytes)


def _is_topic(topic: object) -> bool:
    """A topic a broker accepts; a surrogate, which is what damaged UTF-8 becomes, is not printable."""
    return (
        isinstance(topic, str)
        and topic.isprintable()
        and 0 < len(topic) <= _LONGEST_TOPIC
        and not set(topic) & set("+#")
    )


def _is_document(payload: bytes) -> bool:
    """A JSON object, where it begins as one."""
    if not payload.startswith(b"{"):
        return True
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return True
