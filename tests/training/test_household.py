from __future__ import annotations

import numpy as np
import pytest

from vser_stream.training.household import NOISES, Wave, even, loudness, noise, television
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


def test_a_television_is_heard_through_a_small_loudspeaker() -> None:
    voices = [noise(RATE, np.random.default_rng(seed), tilt=0.5) for seed in range(3)]
    programme = television(voices, 8 * RATE, np.random.default_rng(1))
    assert loudness(programme) == pytest.approx(1.0, rel=1e-3)
    assert spectrum_db(programme, 0, 140) < -50
    assert spectrum_db(programme, 6100, 8000) < -50
    assert spectrum_db(programme, 1000, 3000) > -20


def test_without_voices_a_television_plays_music() -> None:
    assert loudness(television([], RATE, np.random.default_rng(1))) == pytest.approx(1.0, rel=1e-3)
