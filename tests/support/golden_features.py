"""What the features make of some sounds: here and now, and as it was written down for their version.

PYTHONPATH=tests python -m support.golden_features     writes it anew, after VERSION was raised
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.extract import Extractor
from vser_stream.core.scoring.feature_identity import VERSION, golden_input, golden_segment
from vser_stream.values import Segment

__all__ = ["FILE", "golden"]

FILE = Path(__file__).parents[1] / "core/features/golden.json"


def golden() -> dict[str, dict[str, list[float]]]:
    """Features and model inputs of each sound."""
    tracker, voice = SwiftF0Tracker(), golden_segment()
    noise = np.random.default_rng(0).normal(0.0, 150.0, 2 * len(voice.pcm))
    twice = np.concatenate([voice.pcm, voice.pcm[::-1]])
    sounds = {
        "voice": voice,
        "hardly heard": _as(voice, voice.pcm / 2000),
        "in noise": _as(voice, twice / 2 + noise),
        "silence": _as(voice, 0 * voice.pcm),
    }
    rows = {name: Extractor(tracker).extract(sound) for name, sound in sounds.items()}
    return {
        "features": {name: row.astype(float).round(6).tolist() for name, row in rows.items()},
        "inputs": {name: golden_input(row).astype(float).round(6).tolist() for name, row in rows.items()},
    }


def _as(voice: Segment, samples: np.ndarray) -> Segment:
    return replace(voice, pcm=np.rint(samples).astype(np.int16), end=len(samples))


if __name__ == "__main__":
    FILE.write_text(json.dumps({"version": VERSION, **golden()}) + "\n")
