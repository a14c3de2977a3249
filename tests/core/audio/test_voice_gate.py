import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.audio.voice_gate import GLIDE, TREMOR, no_voice, voiced_s
from vser_stream.core.features.extract import Extractor
from vser_stream.core.features.functionals import FEATURES
from vser_stream.values import RATE, Pcm, Segment, SegmentKind, Vector

TIME = np.arange(2 * RATE) / RATE
NOISE = np.random.default_rng(0)


def measured(wave: np.ndarray) -> Vector:
    pcm: Pcm = np.asarray(wave, np.int16)
    segment = Segment(
        kind=SegmentKind.UTTERANCE, pcm=pcm, start=0, onset=0, end=len(pcm), heard_at=0.0, floor_db=-60.0
    )
    return Extractor(SwiftF0Tracker()).extract(segment)


def harmonics(pitch_hz: np.ndarray) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    return np.asarray(sum(np.sin(order * phase) / order for order in range(1, 16)))


def test_speech_is_a_voice() -> None:
    vector = measured(voice(2.0))
    assert no_voice(vector) is None
    assert voiced_s(vector) > 0.5


def test_a_scream_that_is_held_is_a_voice_although_it_is_as_steady_as_a_machine() -> None:
    tremor = 1 + 0.02 * np.sin(2 * np.pi * 6 * TIME) + 0.004 * NOISE.normal(size=len(TIME)).cumsum() / 50
    scream = 6000 * harmonics(520.0 * tremor) + 300 * NOISE.normal(size=len(TIME))
    assert no_voice(measured(scream)) is None


def dripping(*, seed: int, noise: float) -> np.ndarray:
    """Decaying tones of 300 to 900 Hz, ten a second, each gliding a little."""
    chance = np.random.default_rng(seed)
    wave, time = np.zeros(2 * RATE), np.arange(RATE // 4) / RATE
    for start in np.cumsum(chance.exponential(RATE / 10, size=40)).astype(int):
        if start + len(time) < len(wave):
            pitch = chance.uniform(300, 900) * (1 + 0.3 * time)
            ring = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-8 * time)
            wave[start : start + len(time)] += chance.uniform(0.2, 1.0) * ring
    return 8000 * wave + noise * chance.normal(size=len(wave))


def test_what_drips_or_is_struck_is_no_voice_in_quiet_or_in_noise() -> None:
    said = [no_voice(measured(dripping(seed=seed, noise=noise))) for seed in range(8) for noise in (10, 300)]
    assert sum("tone" in str(one) for one in said) >= 10


def held(drift: float, loudness_db: np.ndarray | float) -> Vector:
    """A tone of 900 Hz with overtones that rises and falls by ``drift`` semitones in 2 s."""
    pitch = 900.0 * 2 ** (drift * np.sin(np.pi * TIME / 2) / 12)
    return measured(
        4000 * 10 ** (np.asarray(loudness_db) / 20) * harmonics(pitch) + 20 * NOISE.normal(size=len(TIME))
    )


SWELL = -8.0 * np.cos(np.pi * TIME) ** 2
"""Louder in the middle, as breath lasts (dB)."""


def test_a_scream_at_the_top_of_its_force_is_a_voice_although_it_hardly_moves() -> None:
    scream = held(2.0, SWELL)
    jitter, motion = (scream[FEATURES.index(name)] for name in ("jitter", "pitch_motion"))
    assert jitter < TREMOR
    assert motion < GLIDE
    assert no_voice(scream) is None


@pytest.mark.parametrize(
    ("drift", "loudness_db"),
    [(0.0, SWELL), (2.0, 0.0), (0.0, np.where(TIME % 0.8 < 0.4, 0.0, -60.0))],
    ids=["a whistle that swells", "a tone that drifts", "beeps"],
)
def test_a_machine_as_high_as_a_scream_is_none(drift: float, loudness_db: np.ndarray | float) -> None:
    assert "a steady tone" in str(no_voice(held(drift, loudness_db)))


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        (300 * NOISE.normal(size=len(TIME)), "voice"),
        (2000 * harmonics(np.full(len(TIME), 100.0)) + 3000 * NOISE.normal(size=len(TIME)), "steady noise"),
        (8000 * np.sin(2 * np.pi * 440 * TIME) * np.exp(-3 * (TIME % 0.7)), "a steady tone"),
        (np.zeros(len(TIME)), "only 0.00 s of voice"),
    ],
    ids=["hiss", "a hum in noise", "a bell", "nothing"],
)
def test_what_a_home_sounds_like_is_not(wave: np.ndarray, says: str) -> None:
    assert says in str(no_voice(measured(wave)))
