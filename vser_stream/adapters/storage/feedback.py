"""What people thought of alarms: a line of JSON each, in one file of the state folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from vser_stream.errors import CommandError

__all__ = ["FEEDBACK", "FeedbackFile"]

FEEDBACK = "vser.feedback/1"
"""Schema of a line; 0.1.0 wrote the same fields without saying so."""

LARGEST = 4_000_000
"""Some ten thousand answers; a box nobody looks after must not fill its disk (bytes)."""


class FeedbackFile:
    """Appends; a line is on the disk when :meth:`append` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, record: dict[str, object]) -> None:
        """Keep one record.

        Raises:
            CommandError: The disk does not keep it, or there is too much already.
        """
        line = json.dumps(record).encode() + b"\n"
        try:
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            try:
                if os.fstat(file).st_size + len(line) > LARGEST:
                    raise CommandError(f"{self._path}: too much feedback; take the file away")
                os.write(file, line)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as exc:
            raise CommandError(
                f"{self._path}: feedback cannot be stored ({exc.strerror}); check the disk"
            ) from exc
