"""A second look at speech that is not surely calm, and what it is worth beside the first judge.

The first judge weighs figures of pitch, loudness and timbre against the calm voice of a source. The second
knows no source: a network that learned speech elsewhere hears the sound itself. They err on different
speech, so their beliefs are multiplied, each raised to a power that says how far it is to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vser_stream.ports import SecondLook
from vser_stream.values import RATE, Pcm, Probabilities, Segment

__all__ = ["LEAST", "LONGEST", "Fusion", "Look", "fused", "heard"]

LONGEST: Final = 4.0
"""The latest speech is looked at: the cost follows the length, and an alarm waits for it (s)."""

LEAST: Final = 1e-4
"""No judge is surer than that of what something is not: the other may have heard it."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How far each judge is trusted; chosen on speech that neither has learned from."""

    first: float
    """Power of what the first judge believes (dimensionless)."""

    look: float
    """Power of what the second look says (dimensionless)."""

    bias: tuple[float, ...]
    """Added to the logarithm of each of :data:`~vser_stream.values.ANSWERS` (log odds)."""


@dataclass(frozen=True, slots=True)
class Look:
    """Who looks again, at what, and how far that is trusted."""

    judge: SecondLook
    fusion: Fusion
    unless_calm: float
    """What the first judge takes for calm with this probability is not looked at again."""

    def needed(self, first: Probabilities) -> bool:
        """Whether the first judge leaves a doubt that it is calm."""
        return first.calm < self.unless_calm


def heard(segment: Segment) -> Pcm:
    """The speech of a segment, at most the latest :data:`LONGEST` of it, shape (n,)."""
    onset, end = segment.onset - segment.start, segment.end - segment.start
    return segment.pcm[max(onset, end - round(LONGEST * RATE)) : end]


def fused(first: Probabilities, look: Probabilities, fusion: Fusion) -> Probabilities:
    """What both together believe."""
    logs = fusion.first * _log(first) + fusion.look * _log(look) + np.asarray(fusion.bias)
    raised = np.exp(logs - logs.max())
    return Probabilities.folded(raised.tolist())


def _log(probabilities: Probabilities) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities.answers, LEAST))
