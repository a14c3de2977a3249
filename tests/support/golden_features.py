"""What the features make of some sounds: here and now, and as it was written down for their version.

PYTHONPATH=tests python -m support.golden_features     writes it anew, after VERSION was raised
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.extract import Extractor
from vser_stream.core.scoring.feature_identity import VERSION, golden_input, golden_segment
from vser_stream.values import RATE, Samples, Segment

__all__ = ["FILE", "golden"]

_PAUSES = ((0.3, 0.045), (0.6, 0.052), (0.9, 0.059), (1.2, 0.066), (1.5, 0.073))
"""When they begin, and how long they are (s)."""

FILE = Path(__file__).parents[1] / "core/scoring/golden_features.json"


def golden() -> dict[str, dict[str, list[float]]]:
    """Features and model inputs of each sound."""
    tracker, voice = SwiftF0Tracker(), golden_segment()
    noise = np.random.default_rng(0).normal(0.0, 150.0, 2 * len(voice.pcm))
    twice = np.concatenate([voice.pcm, voice.pcm[::-1]])
    sounds = {
        "voice": voice,
        "hardly heard": _as(voice, voice.pcm / 2000),
        "in noise": _as(voice, twice / 2 + noise),
        "after a bang": _as(voice, np.append(np.full(256, 32_000), voice.pcm * (68 / voice.pcm.max()))),
        "swooping": _as(voice, _swooping()),
        "bursting": _as(voice, voice.pcm * np.where(np.arange(len(voice.pcm)) % 3200 < 320, 1.0, 0.1)),
        "silence": _as(voice, 0 * voice.pcm),
    }
    rows = {name: Extractor(tracker).extract(sound) for name, sound in sounds.items()}
    return {
        "features": {name: row.astype(float).round(6).tolist() for name, row in rows.items()},
        "inputs": {name: golden_input(row).astype(float).round(6).tolist() for name, row in rows.items()},
    }


def _swooping() -> Samples:
    """All that is cut off at some limit: swoops of the pitch, pauses, a high tone."""
    time = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(200 * 2 ** (0.5 * np.sin(2 * np.pi * 8 * time))) / RATE
    tone = sum(np.sin(order * phase) / order for order in range(1, 9)) + np.sin(2 * np.pi * 3450 * time)
    pauses = np.any([(time >= at) & (time < at + long) for at, long in _PAUSES], axis=0)
    return np.asarray(4000 * np.where(pauses, 0.0, tone), np.float32)


def _as(voice: Segment, samples: NDArray[Any]) -> Segment:
    return replace(voice, pcm=np.rint(samples).astype(np.int16), end=len(samples))


if __name__ == "__main__":
    FILE.write_text(json.dumps({"version": VERSION, **golden()}) + "\n")
