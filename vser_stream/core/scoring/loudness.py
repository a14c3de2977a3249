"""How loud a voice is among what its source hears.

Who lives there is nearer than a loudspeaker or a neighbour, and louder in distress.

Never an absolute level: that says more of the microphone than of the person. The levels of the latest
utterances, whoever spoke, are what a level is measured from; with none of them nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from vser_stream.core.features.functionals import FEATURES
from vser_stream.values import Vector

__all__ = ["LOUDNESS", "UNKNOWN", "Loudness"]

LOUDNESS: Final = ("loudness_p50", "loudness_p95", "loudness_known")
"""Names of the columns."""

UNKNOWN: Final = np.zeros(len(LOUDNESS), np.float32)
"""Of a source that has just been opened, and of a recording without one."""

_REMEMBERED = 40
"""Utterances: about ten minutes of a home that talks."""

_FEWEST = 3
_SETTLED = 8
"""Utterances from which a level can be told, and after which it is well known."""

_USUAL = 0.6
"""Quantile of the remembered levels: above it are those who are near."""

_UNIT_DB = 6.0
_FARTHEST = 4.0
"""Beyond so many units louder or softer does not matter."""

_P50, _P95 = FEATURES.index("level_p50"), FEATURES.index("level_p95")


@dataclass(frozen=True, slots=True)
class Loudness:
    """Median levels of the latest utterances of one source, oldest first (dB re full scale)."""

    levels: tuple[float, ...] = ()
    """Oldest first (dB re full scale)."""

    def after(self, vector: Vector) -> Self:
        """Remember one more utterance; ``vector`` is its row of features."""
        return type(self)((*self.levels, float(vector[_P50]))[-_REMEMBERED:])

    def columns(self, vector: Vector) -> Vector:
        """Level of a segment over what is usual (units of 6 dB), and how well that is known, shape (3,)."""
        if len(self.levels) < _FEWEST:
            return UNKNOWN
        usual = float(np.quantile(self.levels, _USUAL))
        over = np.clip((vector[[_P50, _P95]] - usual) / _UNIT_DB, -_FARTHEST, _FARTHEST)
        return np.array([*over, min(len(self.levels), _SETTLED) / _SETTLED], np.float32)
