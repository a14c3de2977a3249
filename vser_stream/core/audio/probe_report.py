"""A short piece of a source in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vser_stream.core.audio.level import level_db
from vser_stream.core.audio.signal_faults import advice, clipped_share, faults_in, signal_of
from vser_stream.core.technical_condition import ConditionName
from vser_stream.values import FRAME, RATE, Pcm

__all__ = ["Survey", "survey_of"]

_MUTE = frozenset({ConditionName.DIGITAL_SILENCE, ConditionName.STUCK_VALUE, ConditionName.LEVEL_LOW})

_CLEAR_DB = 15.0
"""Loud frames over quiet ones where a voice is heard well (dB)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was heard."""

    seconds: float
    """Length of the audio (s)."""

    level_db: float
    """Of the whole (dB re full scale)."""

    floor_db: float
    """A tenth of the frames are quieter (dB re full scale)."""

    snr_db: float
    """The level a tenth of the frames are over, above the floor (dB)."""

    clipped: float
    """Share of samples at full scale."""

    faults: tuple[ConditionName, ...]
    """Found in most of its seconds."""

    @property
    def is_mute(self) -> bool:
        """Whether nobody would be heard."""
        return bool(_MUTE & set(self.faults))

    @property
    def verdict(self) -> str:
        """In words."""
        if self.faults:
            return "; ".join(advice(name) for name in self.faults)
        if self.snr_db >= _CLEAR_DB:
            return f"good: speech or sound is {self.snr_db:.0f} dB above the noise floor"
        return (
            f"delivers audio, but nothing above the noise (loudest {self.snr_db:.0f} dB over quiet): "
            "speak where people will be, and probe again"
        )


def survey_of(pcm: Pcm) -> Survey:
    """Measure audio of at least one second, shape (n,)."""
    levels = [level_db(frame) for frame in np.split(pcm, range(FRAME, len(pcm), FRAME))]
    quiet, loud = np.percentile(levels, (10, 90))
    seconds = [
        faults_in(signal_of(second), room_db=0.0)
        for second in pcm[: len(pcm) // RATE * RATE].reshape(-1, RATE)
    ]
    return Survey(
        seconds=len(pcm) / RATE,
        level_db=level_db(pcm),
        floor_db=float(quiet),
        snr_db=float(loud - quiet),
        clipped=clipped_share(pcm),
        faults=tuple(
            name for name in ConditionName if 2 * sum(name in faults for faults in seconds) > len(seconds)
        ),
    )
