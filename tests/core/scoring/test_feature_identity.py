from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from support.golden_features import FILE, golden
from support.renamed import renamed

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.locations import shipped_model
from vser_stream.core.features.log_frequency import CONTEXT
from vser_stream.core.scoring import baseline, feature_identity
from vser_stream.core.scoring.feature_identity import (
    VERSION,
    digest,
    golden_segment,
    golden_vector,
    known_as,
    quantised,
)
from vser_stream.values import PitchTrack, SegmentKind, Spectra

MANIFEST = tomllib.loads((shipped_model() / "manifest.toml").read_text())

BY_MODULE_NAMES = "514a4b6333f0b9cbe617f5bb0966a5435ee9978fd382eb25f7b92bbaa0bf3ac5"
"""What the shipped model said it was trained on, and states on disk say their baselines are of."""


class Flat:
    """Another pitch tracker."""

    def track(self, spectra: Spectra) -> PitchTrack:
        hops = spectra.shape[2] - CONTEXT
        return PitchTrack(f0=np.full(hops, 150.0), voicing=np.ones(hops))


@pytest.fixture(scope="module")
def here() -> str:
    return digest(SwiftF0Tracker())


def test_the_shipped_model_is_of_the_features_of_this_build(here: str) -> None:
    assert MANIFEST["features"] == here
    assert MANIFEST["learning"] == baseline.LEARNING


def test_what_the_same_features_were_called_is_known(here: str) -> None:
    assert known_as(BY_MODULE_NAMES) == here
    assert known_as("another") == "another"


def test_another_pitch_model_has_another_digest(here: str) -> None:
    assert digest(Flat()) != here


def test_another_version_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(Flat())
    monkeypatch.setattr(feature_identity, "VERSION", VERSION + 1)
    assert digest(Flat()) != before


def test_another_input_of_the_model_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(Flat())
    monkeypatch.setattr(baseline, "_SETTLED", 4.0)
    assert digest(Flat()) != before


def test_what_a_baseline_learns_from_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(Flat())
    for name in ("_CALM_FROM", "_MEMORY", "_SCALE_WEIGHT", "_CLIP"):
        monkeypatch.setattr(baseline, name, 2 * getattr(baseline, name))
    assert digest(Flat()) == before


def test_names_and_places_of_modules_and_of_their_constants_are_no_part_of_it(
    tmp_path: Path, here: str
) -> None:
    moved = renamed(
        tmp_path,
        {
            "core.scoring.baseline": "core.calm.voice",
            "core.features.pitch": "core.features.melody",
            "core.features.spectrum": "core.features.short_time",
            "core.features.functionals": "core.row",
            "core.scoring.loudness": "core.calm.level",
        },
    )
    for file, before, after in (
        ("core/calm/voice.py", "_FARTHEST", "_LIMIT"),
        ("core/features/short_time.py", "_QUIET", "_DIGITAL_SILENCE"),
    ):
        text = (moved / file).read_text()
        assert before in text
        (moved / file).write_text(text.replace(before, after))
    code = (
        "from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker; from vser_stream.core import row\n"
        "from vser_stream.core.scoring.feature_identity import digest; print(digest(SwiftF0Tracker()))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_nothing_is_worth_something_else_without_another_version() -> None:
    written = json.loads(FILE.read_text())
    assert written["version"] == VERSION, "write the golden values anew: see support/golden_features.py"
    for kind, sounds in golden().items():
        for sound, now in sounds.items():
            assert now == pytest.approx(written[kind][sound], rel=2e-3, abs=2e-3), (
                f"{kind} of {sound}: raise VERSION where digest() is, or undo what changed"
            )


def test_the_last_digits_of_another_processor_do_not_count() -> None:
    vector = golden_vector(SwiftF0Tracker())
    for factor in (1.0 - 1e-4, 1.0 + 1e-4):
        assert np.array_equal(quantised(vector * np.float32(factor)), quantised(vector))


def test_a_changed_feature_counts() -> None:
    vector = golden_vector(SwiftF0Tracker())
    assert not np.array_equal(quantised(vector * np.float32(1.03)), quantised(vector))


def test_the_synthetic_voice_is_one_utterance_from_its_first_sample_to_its_last() -> None:
    segment, again = golden_segment(), golden_segment()
    assert segment.kind is SegmentKind.UTTERANCE
    assert (segment.start, segment.onset, segment.end) == (0, 0, len(segment.pcm))
    assert np.array_equal(segment.pcm, again.pcm)
    assert np.abs(segment.pcm).max() < 32_000, "nothing is clipped"
