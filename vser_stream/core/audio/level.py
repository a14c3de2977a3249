"""Level of a frame, and the noise floor under the speech of one source."""

from __future__ import annotations

import math

import numpy as np

from vser_stream.values import FRAME, RATE, Pcm

__all__ = ["SILENCE_DB", "NoiseFloor", "level_db"]

SILENCE_DB = -96.0
"""Level of digital silence: one step of 16 bits (dB re full scale)."""

_FULL_SCALE = 32768.0**2

_LOWEST_DB = -75.0
"""A floor below this is a muted or padded recording, not a room (dB re full scale)."""

_FALL = 0.3
"""Share of the way down to a quieter frame; pauses between syllables last two to five frames."""

_RISE_DB = 3.0 * FRAME / RATE
"""Rise per frame at 3 dB/s: a steady noise is learned in seconds, a shout of 5 s lifts it 15 dB at most."""


def level_db(pcm: Pcm) -> float:
    """Root mean square level of 16-bit audio (dB re full scale)."""
    samples = pcm.astype(np.float32)
    power = float(samples @ samples) / (len(samples) * _FULL_SCALE)
    return max(10.0 * math.log10(power), SILENCE_DB) if power else SILENCE_DB


class NoiseFloor:
    """Follows the quietest frames: falls fast, rises slowly."""

    def __init__(self, start_db: float = -60.0) -> None:
        self.db = start_db
        """Current floor (dB re full scale)."""

    def feed(self, level: float) -> float:
        """Take the level of the next frame (dB); return the floor (dB)."""
        if level < self.db:
            self.db += _FALL * (level - self.db)
        else:
            self.db = min(self.db + _RISE_DB, level)
        self.db = max(self.db, _LOWEST_DB)
        return self.db
