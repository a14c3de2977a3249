"""Baselines as 0.1.0 kept them, a file for each source: they go where all else of the source is kept."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.core.alarm_memory import Remembered, recall, remember
from vser_stream.core.baseline import Baseline
from vser_stream.values import Memory

__all__ = ["BaselineStore", "take_over"]

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
            found = _read(path, features=features)
            known = _known(outbox.memory(source), features=features)
            document = remember(replace(known, baseline=found), features=features)
            outbox.commit((), memory=Memory(source, document))
            path.unlink()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _log.warning("calm voice is of no use, please calibrate again: path=%s error=%s", path, exc)


def _read(path: Path, *, features: str) -> Baseline:
    document = json.loads(path.read_bytes())
    if document["features"] != features:
        raise ValueError("it is of other features")
    return Baseline.from_lists(document["baseline"])


def _known(document: bytes | None, *, features: str) -> Remembered:
    try:
        return recall(document, features=features) if document else Remembered()
    except (ValueError, KeyError, TypeError):
        return Remembered()  # the listener tells


class BaselineStore:
    """Baselines of one feature set; those of another are of no use and are not read.

    Args:
        folder: Where the files are, ``baseline-<source>.json``.
        features: Digest of the features.
    """

    def __init__(self, folder: Path, *, features: str) -> None:
        self._folder, self._features = folder, features

    def load(self, source: str) -> Baseline | None:
        """Return the baseline of a source; None where there is none that can be used."""
        path = self._path(source)
        try:
            document = json.loads(path.read_bytes())
            if document["features"] == self._features:
                return Baseline.from_lists(document["baseline"])
            _log.warning("baseline is of other features, starting anew: path=%s", path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _log.warning("baseline cannot be read, starting anew: path=%s error=%s", path, exc)
        return None

    def save(self, source: str, baseline: Baseline) -> None:
        """Replace the baseline of a source; a failing disk costs only what was learned since."""
        path = self._path(source)
        document = {"features": self._features, "baseline": baseline.to_lists()}
        new = path.with_suffix(".new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as exc:
            _log.warning("baseline was not saved: path=%s error=%s", path, exc)

    def forget(self, source: str) -> bool:
        """Delete the baseline of a source; return whether there was one."""
        path = self._path(source)
        existed = path.exists()
        path.unlink(missing_ok=True)
        return existed

    def _path(self, source: str) -> Path:
        return self._folder / f"baseline-{source}.json"
