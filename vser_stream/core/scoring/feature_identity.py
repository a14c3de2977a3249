"""Identity of the features: a model only runs on those it was trained on, and a baseline is only of those.

It says what the features are and what they make of a synthetic voice, never how the code is laid out: no name
or place of a module or of a private constant is in it. What a baseline learns from, and how fast, is no
part of it either: see :data:`vser_stream.core.scoring.baseline.LEARNING`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.extract import Extractor
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.features.pitch import HOP
from vser_stream.core.features.spectrum import WINDOW
from vser_stream.core.scoring.baseline import MODEL_INPUT, Baseline, model_input
from vser_stream.core.scoring.loudness import Loudness
from vser_stream.ports import PitchTracker
from vser_stream.values import RATE, Pcm, Segment, SegmentKind, Vector

__all__ = ["VERSION", "digest", "golden_input", "golden_segment", "golden_vector", "known_as", "quantised"]

VERSION: Final = 1
"""To be raised with any change of a feature or of an input of the model that models must not survive.

The quantised values in the digest notice large changes by themselves. A test compares more sounds, and
closer, with what this version made of them, so that a small one does not pass unnoticed either.
"""

_BY_MODULE_NAMES: Final = "514a4b6333f0b9cbe617f5bb0966a5435ee9978fd382eb25f7b92bbaa0bf3ac5"
"""Digest of version 1 while it still hashed the names of modules: saved baselines may say so."""

_VERSION_1: Final = "73a2af5b6992f5ae58293b1eb1fb9e0270af96f79a47ed46d5db93abed3921ea"

_NOW: Final = {_BY_MODULE_NAMES: _VERSION_1}
"""What the same features are called since; it means nothing to a build with others."""

_DURATION = 0.8

_USUAL_DB = (-34.0, -30.0, -27.0, -25.0)
"""Levels the synthetic voice is heard among (dB re full scale)."""


def digest(pitch_tracker: PitchTracker) -> str:
    """SHA-256 over what the features are and what they make of a synthetic voice, in hexadecimal."""
    vector = golden_vector(pitch_tracker)
    identity = {
        "version": VERSION,
        "rate_hz": RATE,
        "hop_samples": HOP,
        "frame_samples": WINDOW,
        "features": FEATURES,
        "inputs": MODEL_INPUT,
        "golden": quantised(vector).tolist(),
        "golden_input": quantised(golden_input(vector)).tolist(),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def known_as(features: str) -> str:
    """Return what this build calls the features of a digest, which may be of an earlier build."""
    return _NOW.get(features, features)


def golden_vector(pitch_tracker: PitchTracker) -> Vector:
    """Features of a synthetic voice: they also notice another pitch model or library."""
    return Extractor(pitch_tracker).extract(golden_segment())


def golden_input(vector: Vector) -> Vector:
    """What a model is asked of a voice, half known and heard among others, shape (n_inputs,).

    Args:
        vector: Its features, shape (n_features,).
    """
    ones = np.ones(len(FEATURES), np.float32)
    baseline = Baseline(weight=ones, location=0 * ones, scale=ones, count=4.0)
    return model_input(vector, baseline, Loudness(_USUAL_DB).columns(vector))


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
