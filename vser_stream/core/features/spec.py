"""Identity of the features: a model only runs on those it was trained on."""

from __future__ import annotations

import hashlib
import json
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from vser_stream.core import baseline
from vser_stream.core.features import cepstrum, functionals, pitch, spectrum, tracks
from vser_stream.core.features.extract import Extractor
from vser_stream.ports import PitchTracker
from vser_stream.values import RATE, Pcm, Segment, SegmentKind, Vector

__all__ = ["digest", "golden_segment", "golden_vector", "quantised"]

_MODULES = (pitch, spectrum, cepstrum, tracks, functionals, baseline)
_DURATION = 0.8


def digest(pitch_tracker: PitchTracker) -> str:
    """SHA-256 over names, constants and what they make of a synthetic voice, in hexadecimal."""
    identity = {
        "constants": {module.__name__: _constants(module) for module in _MODULES},
        "golden": quantised(golden_vector(pitch_tracker)).tolist(),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def golden_vector(pitch_tracker: PitchTracker) -> Vector:
    """Features of a synthetic voice: they also notice another pitch model or library."""
    return Extractor(pitch_tracker).extract(golden_segment())


def golden_segment() -> Segment:
    """The synthetic voice, made anew each time."""
    pcm = _voice()
    return Segment(
        kind=SegmentKind.UTTERANCE, pcm=pcm, start=0, onset=0, end=len(pcm), heard_at=0.0, floor_db=-60.0
    )


def quantised(vector: Vector) -> NDArray[np.int64]:
    """Round to steps of about a factor e.

    Processors differ from the fifth digit on, in the float32 convolutions of the pitch network,
    and one of so many features may lie close to a step: wide steps make that unlikely, and a
    change of some per cent in how features are computed still moves one of them over a step.
    """
    return np.rint(np.arcsinh(10.0 * vector.astype(np.float64))).astype(np.int64)


def _constants(module: ModuleType) -> dict[str, object]:
    plain = (int, float, str, tuple, dict)
    return {
        name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, plain)
    }


def _voice() -> Pcm:
    """Two voiced syllables with a pause: a gliding, slightly trembling tone with 20 harmonics."""
    time = np.arange(int(_DURATION * RATE)) / RATE
    pitch_hz = 150.0 + 60.0 * time + 5.0 * np.sin(2.0 * np.pi * 6.0 * time)
    phase = 2.0 * np.pi * np.cumsum(pitch_hz) / RATE
    tone = sum(np.sin(order * phase) / order**1.3 for order in range(1, 21))
    loudness = np.clip(np.sin(2.0 * np.pi * time / _DURATION * 1.25), 0.0, 1.0) ** 0.7
    breath = 0.02 * np.sin(2.0 * np.pi * 1900.0 * time + 40.0 * np.sin(2.0 * np.pi * 37.0 * time))
    pcm: Pcm = np.rint(8000.0 * (tone * loudness + breath) / 2.0).astype(np.int16)
    return pcm
