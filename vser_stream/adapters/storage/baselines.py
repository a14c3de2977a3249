"""The calm voice of a source on the disk while no daemon runs; and as 0.1.0 kept it, in a file each."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.alarm.room_adaptation import Room
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.scoring.feature_identity import known_as
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.values import Memory

__all__ = ["keep", "take_over"]

_log = logging.getLogger(__name__)


def take_over(folder: Path, outbox: SqliteOutbox, *, features: str) -> None:
    """Put each ``baseline-<source>.json`` into the memory of its source, then delete the file.

    A file that cannot be used stays, and somebody is told.

    Args:
        folder: Where the files are.
        outbox: Where memories are kept.
        features: Digest of those a baseline must be of.

    Raises:
        OutboxError: The disk keeps nothing; the file is still there.
    """
    for path in sorted(folder.glob("baseline-*.json")):
        source = path.stem.removeprefix("baseline-")
        try:
            keep(outbox, source, _read(path, features=features), features=features)
            path.unlink()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _log.warning("baseline cannot be used; please calibrate again: path=%s error=%s", path, exc)


def keep(outbox: SqliteOutbox, source: str, baseline: Baseline | None, *, features: str) -> bool:
    """Replace what is known of the calm voice of a source, and nothing else but what is forgotten with it.

    Args:
        outbox: Where memories are kept; no daemon may use it.
        source: Name.
        baseline: None to forget it, and what the room is like.
        features: Digest of those it is of.

    Returns:
        Whether anything was known.

    Raises:
        OutboxError: The disk keeps nothing.
    """
    known = _known(outbox.memory(source), features=features)
    alarm = known.alarm if baseline else replace(known.alarm, room=Room())
    document = remember(replace(known, alarm=alarm, baseline=baseline), features=features)
    outbox.commit((), memory=Memory(source, document))
    return known.baseline is not None or known.alarm.room.heard > alarm.room.heard


def _read(path: Path, *, features: str) -> Baseline:
    document = json.loads(path.read_bytes())
    if known_as(document["features"]) != features:
        raise ValueError("it was computed with another feature set")
    return Baseline.from_lists(document["baseline"])


def _known(document: bytes | None, *, features: str) -> Remembered:
    try:
        return recall(document, features=features) if document else Remembered()
    except (ValueError, KeyError, TypeError):
        return Remembered()  # the listener tells
