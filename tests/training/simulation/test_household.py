from __future__ import annotations

import numpy as np
import pytest

from vser_stream.training.simulation.household import (
    NOISES,
    Wave,
    even,
    lasting,
    loudness,
    loudspeaker,
    noise,
    programme,
)
from vser_stream.values import RATE


def spectrum_db(wave: Wave, low: float, high: float) -> float:
    """Share of the energy between two frequencies (dB)."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    frequency = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(10 * np.log10(power[(frequency >= low) & (frequency < high)].sum() / power.sum() + 1e-12))


@pytest.mark.parametrize("name", NOISES)
def test_a_noise_has_the_length_asked_for_the_loudness_one_and_its_seed_decides(name: str) -> None:
    make, _ = NOISES[name]
    one, again, other = (make(3 * RATE + 7, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert one.shape == (3 * RATE + 7,)
    assert loudness(one) == pytest.approx(1.0, rel=1e-3)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_pauses_do_not_make_speech_quieter() -> None:
    wave = np.asarray(np.random.default_rng(0).standard_normal(RATE), np.float32)
    quiet = np.concatenate([wave, np.zeros(len(wave), np.float32)])
    assert loudness(quiet) == pytest.approx(np.sqrt(np.mean(wave**2)), rel=1e-3)
    assert loudness(np.empty(0, np.float32)) == 0.0


def test_silence_stays_silence() -> None:
    assert not even(np.zeros(RATE, np.float32)).any()


def test_the_tilt_takes_the_high_frequencies_away() -> None:
    white, pink, brown = (noise(4 * RATE, np.random.default_rng(0), tilt=tilt) for tilt in (0.0, 0.5, 1.0))
    high = [spectrum_db(wave, 4000, 8000) for wave in (white, pink, brown)]
    assert high[0] == pytest.approx(-3.0, abs=0.1)
    assert high[0] > high[1] + 6 > high[2] + 12


def test_a_programme_plays_each_turn_once_over_music_that_is_under_it() -> None:
    turns = [noise(RATE, np.random.default_rng(seed), tilt=0.0, band=(1000.0, 4000.0)) for seed in range(2)]
    music = noise(RATE, np.random.default_rng(9), tilt=0.0, band=(100.0, 500.0))
    sent = programme(iter(turns), 8 * RATE, np.random.default_rng(1), music=music)
    assert sent.shape == (8 * RATE,)
    assert loudness(sent) == pytest.approx(1.0, rel=1e-3)
    assert spectrum_db(sent[: 2 * RATE], 1000, 4000) > -1
    assert spectrum_db(sent[5 * RATE :], 100, 500) > -1


def test_a_small_loudspeaker_gives_a_narrow_band() -> None:
    wave = noise(8 * RATE, np.random.default_rng(0), tilt=0.0)
    for seed in range(5):
        heard = loudspeaker(wave, np.random.default_rng(seed))
        assert loudness(heard) == pytest.approx(1.0, rel=1e-3)
        assert spectrum_db(heard, 0, 75) < -20
        assert spectrum_db(heard, 7500, 8000) < -15
        assert spectrum_db(heard, 500, 3000) > -5


@pytest.mark.parametrize("n", [RATE // 2, 10 * RATE + 3])
def test_a_sound_lasts_as_long_as_it_is_asked_to_without_a_click(n: int) -> None:
    time = np.arange(RATE + 77) / RATE
    wave = np.sin(2 * np.pi * 50 * time).astype(np.float32)
    long = lasting(wave, n, np.random.default_rng(3))
    assert long.shape == (n,)
    steps = np.abs(np.diff(long)) / loudness(long)
    assert steps.max() < 3 * np.abs(np.diff(wave)).max() / loudness(wave)
