"""Features of what was heard in a composed home, computed once, whichever model listens to it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vser_stream.core.decide import Decider, Judge
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.ports import PitchTracker
from vser_stream.values import Segment, SegmentKind, Vector

__all__ = ["Memory", "Recalling"]

_Key = tuple[bool, int, int]
"""Whether it is a window, and where a segment begins and ends (samples)."""


class Memory:
    """Rows of features by segment.

    Args:
        file: Where they are, or will be; the folder above it exists.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rows: dict[_Key, Vector] = {}
        """Of every segment measured so far."""

        if file.exists():
            with np.load(file) as kept:
                keys = [(bool(window), start, end) for window, start, end in kept["keys"].tolist()]
                self.rows = dict(zip(keys, kept["rows"], strict=True))
        self._kept = len(self.rows)

    def keep(self) -> None:
        """Write what was added; two processes may write the same file at once."""
        if len(self.rows) == self._kept:
            return
        scratch = self._file.with_suffix(f".{os.getpid()}.npz")
        np.savez(scratch, keys=np.array(list(self.rows), np.int64), rows=np.stack(list(self.rows.values())))
        scratch.replace(self._file)
        self._kept = len(self.rows)


class Recalling(Decider):
    """Measures no segment that somebody else has measured."""

    def __init__(
        self,
        judge: Judge,
        pitch_tracker: PitchTracker,
        *,
        memory: Memory,
        baseline: Baseline | None = None,
    ) -> None:
        super().__init__(judge, pitch_tracker, baseline=baseline)
        self._memory = memory

    def measure(self, segment: Segment) -> Vector:
        """Return the features of a segment, shape (n_features,)."""
        key = (segment.kind is SegmentKind.WINDOW, segment.start, segment.end)
        rows = self._memory.rows
        if key not in rows:
            rows[key] = super().measure(segment)
        return rows[key]
