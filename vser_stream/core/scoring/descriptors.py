"""From features to acoustic cues: figures and words relative to the calm voice of a source.

Thresholds are per speaker, from the baseline, never the same for all (Chen et al. 2026).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.features.tracks import FRAME_PERIOD
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.values import Cue, Vector

__all__ = [
    "DESCRIPTORS",
    "FARTHEST",
    "FORMER_NAMES",
    "KNOWN",
    "OVER_FLOOR",
    "Descriptor",
    "Kind",
    "describe",
]

OVER_FLOOR = "dB over floor"
"""The unit of a level over the noise floor of the source."""


class Kind(StrEnum):
    """What of a voice a cue is about; reasons of one kind alone are weak."""

    PITCH = "pitch"
    ENERGY = "energy"
    TEMPO = "tempo"
    VOICE = "voice quality"


def _same(value: float) -> float:
    return value


def _hertz(semitones: float) -> float:
    """Semitones above 55 Hz, as the pitch features have them, in Hz."""
    return 55.0 * math.pow(2.0, semitones / 12.0)


def _percent(share: float) -> float:
    return 100.0 * share


def _per_second(step: float) -> float:
    """Change from frame to frame, per second."""
    return step / FRAME_PERIOD


def _from_kilohertz(kilohertz: float) -> float:
    return 1000.0 * kilohertz


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A cue people have a word for, measured by one feature."""

    name: str
    feature: str
    unit: str
    kind: Kind

    aroused: int
    """Where an aroused voice moves it: 1 up, -1 down, 0 as it may be.

    Anger and fear alike raise it in 1,801 clips of 118 speakers and in the review of Juslin & Laukka
    (2003).
    """

    shown: Callable[[float], float] = _same
    """From the feature's scale to ``unit``."""

    over_floor: bool = False
    """An absolute level: given over the noise floor, and only once the source has a baseline of its own."""

    @property
    def column(self) -> int:
        """Place of the feature in a row."""
        return FEATURES.index(self.feature)


DESCRIPTORS: tuple[Descriptor, ...] = (
    Descriptor("pitch level", "pitch_p50", "Hz", Kind.PITCH, 1, _hertz),
    Descriptor("pitch variability", "pitch_sd", "semitones", Kind.PITCH, 0),
    Descriptor("pitch trend", "pitch_trend", "semitones", Kind.PITCH, 1),
    Descriptor("share of rising pitch", "pitch_rising_share", "%", Kind.PITCH, 1, _percent),
    Descriptor("rate of pitch change", "pitch_motion", "semitones/s", Kind.PITCH, 1),
    # Perturbation of F0 from one frame of 16 ms to the next: coarser than jitter from period to period.
    Descriptor("jitter", "jitter", "semitones", Kind.VOICE, 1),
    Descriptor("intensity", "level_p50", OVER_FLOOR, Kind.ENERGY, 1, over_floor=True),
    Descriptor("intensity trend", "level_trend", "dB", Kind.ENERGY, 1),
    Descriptor("intensity variability", "energy_sd", "dB", Kind.ENERGY, 0),
    Descriptor("rate of intensity change", "energy_motion", "dB/s", Kind.ENERGY, 1, _per_second),
    Descriptor("shimmer", "shimmer", "dB", Kind.VOICE, 1),
    Descriptor("speech rate", "peak_rate", "peaks/s", Kind.TEMPO, 1),
    Descriptor("pauses", "pause_share", "%", Kind.TEMPO, 0, _percent),
    Descriptor("brightness", "centroid_mean", "Hz", Kind.VOICE, 1, _from_kilohertz),
    Descriptor("spectral change", "flux_mean", "%", Kind.VOICE, 1, _percent),
    Descriptor("breathiness", "h1_h2_mean", "dB", Kind.VOICE, 1),
    Descriptor("harmonicity", "hnr_mean", "dB", Kind.VOICE, 0),
)
"""The cues, in the order people name them; docs/glossary.md says what each is in phonetics."""

KNOWN = {descriptor.name: descriptor for descriptor in DESCRIPTORS}
"""Descriptors by name."""

FORMER_NAMES = {
    "tremor": "jitter",
    "pitch shape": "share of rising pitch",
    "pitch motion": "rate of pitch change",
    "loudness": "intensity",
    "loudness trend": "intensity trend",
    "energy variability": "intensity variability",
    "energy motion": "rate of intensity change",
}
"""What cues were called up to 0.1.0: rule books and alerts that say so are still understood."""

FARTHEST = 6.0
"""A baseline tells no larger distance from calm (calm standard deviations)."""

_VOICED_S = FEATURES.index("voiced_s")

_SHORT_S = 0.75
"""Voiced time at which the shortness of an utterance blurs a cue as much as calm speech itself varies.

Measured: calm clips with 0.6 s of voice lie 1.5 times as far from their speaker's baseline as those
with 2 s (794 clips, median over the cues; s).
"""

_LEAST_VOICED_S = 0.016
"""One frame (s)."""


def describe(vector: Vector, baseline: Baseline, *, floor_db: float) -> tuple[Cue, ...]:
    """Return every descriptor of a row of features, in the order of :data:`DESCRIPTORS`.

    Args:
        vector: Features of the segment, shape (n_features,).
        baseline: Calm voice of its source.
        floor_db: Noise floor of the source (dB re full scale).
    """
    z = baseline.relative(vector)
    known = [d for d in DESCRIPTORS if baseline.count or not d.over_floor]
    return tuple(
        _cue(d, vector, baseline, z=float(z[d.column]), zero=floor_db if d.over_floor else 0.0) for d in known
    )


def _cue(descriptor: Descriptor, vector: Vector, baseline: Baseline, *, z: float, zero: float) -> Cue:
    column = descriptor.column
    return Cue(
        name=descriptor.name,
        value=round(descriptor.shown(float(vector[column])) - zero, 2),
        unit=descriptor.unit,
        baseline=round(descriptor.shown(float(baseline.location[column])) - zero, 2),
        z=round(z, 2),
        confidence=round(_confidence(vector, baseline, column), 2),
    )


def _confidence(vector: Vector, baseline: Baseline, column: int) -> float:
    """Spread of calm speech over what it is with too short an utterance and too young a baseline.

    The population's baseline is worth much for a cue in which people are alike, and next to nothing
    for the pitch level.
    """
    voiced = max(float(vector[_VOICED_S]), _LEAST_VOICED_S)
    known = float(baseline.weight[column]) + baseline.count
    return 1.0 / math.sqrt(1.0 + 1.0 / known + _SHORT_S / voiced)
