"""A disk that hangs for a real process: see hanging_disk.c."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

__all__ = ["HangingDisk"]


class HangingDisk:
    """Makes the disk of a daemon hang, and lets it go.

    Args:
        folder: For what is made here.
        held: The folder below which nothing can be opened.
    """

    def __init__(self, folder: Path, *, held: Path) -> None:
        library = folder / "hanging_disk.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self._held = folder / "held"
        self.environment = {"LD_PRELOAD": str(library), "HELD": str(self._held), "HELD_FOLDER": str(held)}

    @contextmanager
    def hanging(self, *what: Literal["sync", "open"]) -> Iterator[None]:
        """Within it nobody comes back from such a call."""
        marks = [self._held.with_suffix(f".{one}") for one in what]
        for mark in marks:
            mark.touch()
        try:
            yield
        finally:
            for mark in marks:
                mark.unlink()
