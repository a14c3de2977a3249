import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.functionals import ABSOLUTE, FEATURES, GATES, functionals
from vser_stream.core.features.tracks import Tracker
from vser_stream.values import RATE, Pcm


@pytest.fixture(scope="module")
def pitch() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def features(pitch: SwiftF0Tracker, pcm: Pcm) -> dict[str, float]:
    tracker = Tracker(pitch)
    tracker.feed(pcm)
    vector = functionals(tracker.tracks(0, len(pcm)))
    assert vector.shape == (len(FEATURES),)
    assert vector.dtype == np.float32
    return dict(zip(FEATURES, vector.tolist(), strict=True))


def noise(seconds: float, level: int) -> Pcm:
    return np.random.default_rng(3).integers(-level, level + 1, round(seconds * RATE)).astype(np.int16)


def test_names_are_unique_and_say_which_features_are_special() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert set(FEATURES) > {*ABSOLUTE, *GATES}


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.int16),
        np.zeros(100, np.int16),
        np.zeros(32_000, np.int16),
        noise(1.0, 2),
        noise(1.0, 20_000),
        voice(0.04),
        voice(0.2),
        np.tile(np.array([32767, -32768], np.int16), 8000),
    ],
    ids=["nothing", "6 ms", "silence", "hiss", "loud noise", "40 ms", "200 ms", "overdriven"],
)
def test_every_feature_is_finite_whatever_is_heard(pitch: SwiftF0Tracker, pcm: Pcm) -> None:
    assert np.isfinite(list(features(pitch, pcm).values())).all()


@pytest.mark.parametrize("gain_db", [-20.0, 8.0])
def test_gain_moves_the_absolute_levels_and_nothing_else(pitch: SwiftF0Tracker, gain_db: float) -> None:
    pcm = voice(3.0)
    changed = np.rint(pcm * 10 ** (gain_db / 20)).astype(np.int16)
    before, after = features(pitch, pcm), features(pitch, changed)
    for name in FEATURES:
        shift = gain_db if name in ABSOLUTE else 0.0
        assert after[name] - shift == pytest.approx(before[name], rel=0.06, abs=0.35), name


def test_what_is_known_of_a_voice_is_measured(pitch: SwiftF0Tracker) -> None:
    time = np.arange(2 * RATE) / RATE
    glide = 2.0 * np.pi * np.cumsum(110.0 * 2.0 ** (time / 2.0)) / RATE
    syllables = np.sin(2 * np.pi * 2.0 * time) > 0.0
    pcm = np.rint(6000 * syllables * (np.sin(glide) + 0.5 * np.sin(2 * glide))).astype(np.int16)
    measured = features(pitch, pcm)
    assert measured["pitch_slope"] == pytest.approx(6.0, abs=0.6)
    assert measured["pitch_range_90"] == pytest.approx(10.0, abs=1.5)
    assert measured["pause_share"] == pytest.approx(0.5, abs=0.1)
    assert measured["voiced_s"] == pytest.approx(1.0, abs=0.1)
    assert measured["voiced_length"] == pytest.approx(0.25, abs=0.03)
    assert measured["pitch_trend"] > 3.0


def test_noise_has_no_voice(pitch: SwiftF0Tracker) -> None:
    assert features(pitch, noise(2.0, 5000))["voiced_s"] < 0.05
