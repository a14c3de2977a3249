"""How well an utterance was heard, and when that is too badly to judge it.

Clipping alone never takes an alarm away: a scream close to the microphone clips, and the pitch of
a clipped voice is still right. It only takes the all-clear away, since the loudness and the colour
that make a voice calm are gone. Noise over the voice takes every answer away: what is measured then
is the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from vser_stream.core.audio.level import level_db
from vser_stream.core.audio.signal_faults import clipped_share
from vser_stream.values import Label, Segment

__all__ = ["Quality", "quality_of"]

LEAST_SNR_DB = 3.0
"""Speech and noise together over the noise alone: voice and noise are equally strong (dB)."""

MOSTLY_CLIPPED = 0.3
"""Speech has its peaks 12 dB over its level: with that share of samples cut, hardly a wave is whole."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a segment was heard."""

    snr_db: float
    """Level of its speech over the noise floor at its onset (dB)."""

    clipped: float
    """Share of its speech at full scale."""

    @property
    def too_noisy(self) -> str | None:
        """Why nothing can be said of it, or None."""
        if self.snr_db >= LEAST_SNR_DB:
            return None
        return f"too noisy to judge: speech is {self.snr_db:.1f} dB over the noise floor"

    def cannot_be(self, label: Label) -> str | None:
        """Why it may not be called ``label``, or None."""
        if label is Label.CALM and self.clipped >= MOSTLY_CLIPPED:
            return f"too overdriven to be called calm: {self.clipped:.0%} of it is clipped"
        return None


def quality_of(segment: Segment) -> Quality:
    """Measure the speech of a segment."""
    speech = segment.pcm[segment.onset - segment.start : segment.end - segment.start]
    return Quality(snr_db=level_db(speech) - segment.floor_db, clipped=clipped_share(speech))
