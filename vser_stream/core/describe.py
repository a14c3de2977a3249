"""From features to speech emotion descriptors: figures and words relative to a calm voice.

Thresholds are per speaker, from the baseline, never unified (paper B, section 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vser_stream.core.baseline import Baseline
from vser_stream.core.features.functionals import FEATURES
from vser_stream.values import Cue, Probabilities, Vector

__all__ = ["DESCRIPTORS", "Descriptor", "describe", "rationale_from"]


def _same(value: float) -> float:
    return value


def _hertz(semitones: float) -> float:
    """Semitones above 55 Hz, as the pitch features have them, in Hz."""
    return 55.0 * math.pow(2.0, semitones / 12.0)


def _percent(share: float) -> float:
    return 100.0 * share


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A cue people have a word for, measured by one feature."""

    name: str
    feature: str
    unit: str
    shown: Callable[[float], float] = _same
    """From the feature's scale to ``unit``."""

    needs_baseline: bool = False
    """An absolute level: it means nothing before the source has been heard calm."""

    @property
    def column(self) -> int:
        """Place of the feature in a row."""
        return FEATURES.index(self.feature)


DESCRIPTORS: tuple[Descriptor, ...] = (
    Descriptor("pitch level", "pitch_p50", "Hz", _hertz),
    Descriptor("pitch variability", "pitch_sd", "semitones"),
    Descriptor("pitch range", "pitch_range_90", "semitones"),
    Descriptor("pitch trend", "pitch_trend", "semitones"),
    Descriptor("pitch motion", "pitch_motion", "semitones/s"),
    Descriptor("jitter", "jitter", "semitones"),
    Descriptor("loudness", "level_p50", "dBFS", needs_baseline=True),
    Descriptor("loudness trend", "level_trend", "dB"),
    Descriptor("energy variability", "energy_sd", "dB"),
    Descriptor("shimmer", "shimmer", "dB"),
    Descriptor("speech rate", "peak_rate", "peaks/s"),
    Descriptor("pauses", "pause_share", "%", _percent),
    Descriptor("brightness", "alpha_ratio_mean", "dB"),
    Descriptor("harmonicity", "hnr_mean", "dB"),
)
"""The cues of papers A (III.C) and B (section 1), in the order people name them."""

_LEVELS = ((1.0, ""), (2.0, "somewhat "), (3.5, "well "), (float("inf"), "far "))
"""Bound of |z| and the word under it; within 1 a cue is near calm."""


def describe(vector: Vector, baseline: Baseline) -> tuple[Cue, ...]:
    """Return every descriptor of a row of features, in the order of :data:`DESCRIPTORS`."""
    z = baseline.relative(vector)
    known = [d for d in DESCRIPTORS if baseline.count or not d.needs_baseline]
    return tuple(_cue(d, vector, baseline, float(z[d.column])) for d in known)


def _cue(descriptor: Descriptor, vector: Vector, baseline: Baseline, z: float) -> Cue:
    return Cue(
        name=descriptor.name,
        value=round(descriptor.shown(float(vector[descriptor.column])), 2),
        unit=descriptor.unit,
        baseline=round(descriptor.shown(float(baseline.location[descriptor.column])), 2),
        z=round(z, 2),
        word=_word(z),
    )


def _word(z: float) -> str:
    if abs(z) < _LEVELS[0][0]:
        return "near"
    degree = next(word for bound, word in _LEVELS if abs(z) < bound)
    return degree + ("above" if z > 0 else "below")


def rationale_from(cues: Sequence[Cue], probabilities: Probabilities, *, baseline_known: bool) -> str:
    """Say in words why a voice was judged so: the cues that moved most from calm, with figures."""
    calm = "this voice's calm" if baseline_known else "the calm of most voices"
    verdict = f"Sounds {probabilities.top} ({probabilities.confidence:.0%})"
    moved = sorted((cue for cue in cues if cue.word != "near"), key=lambda cue: -abs(cue.z))[:3]
    if not moved:
        return f"{verdict}: every measured cue stays near {calm}."
    return f"{verdict}: " + "; ".join(_clause(cue, calm) for cue in moved) + "."


def _clause(cue: Cue, calm: str) -> str:
    measured, usual = f"{cue.value:g} {cue.unit}", f"{cue.baseline:g} {cue.unit}"
    return f"{cue.name} {measured} is {cue.word} {calm} {usual} (z {cue.z:+.1f})"
