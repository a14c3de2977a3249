import numpy as np
import pytest
from support.audio import tone

from vser_stream.core.features.spectrum import BALANCE, PERIODICITY, Spectrum, analyse, periodicity
from vser_stream.values import RATE, Samples


def noise(seconds: float) -> Samples:
    return (np.random.default_rng(1).normal(size=round(seconds * RATE)) * 0.1).astype(np.float32)


def analysed(samples: Samples) -> Spectrum:
    return analyse(samples.astype(np.float64), Spectrum.empty())


def column(spectrum: Spectrum, name: str) -> float:
    return float(np.median(spectrum.balance[:, BALANCE.index(name)]))


def test_level_is_that_of_the_signal() -> None:
    spectrum = analysed((tone(1.0) / 32768.0).astype(np.float32))
    assert float(np.median(spectrum.level)) == pytest.approx(
        20 * np.log10(10_000 / 32768 / np.sqrt(2)), abs=0.1
    )


def test_balance_follows_the_frequency_of_a_tone() -> None:
    low, high = (analysed((tone(1.0, frequency=f) / 32768.0).astype(np.float32)) for f in (300.0, 2500.0))
    assert column(low, "centroid") == pytest.approx(0.3, abs=0.02)
    assert column(high, "centroid") == pytest.approx(2.5, abs=0.02)
    assert column(low, "band_250") == pytest.approx(0.0, abs=0.5)
    assert column(high, "band_2000") == pytest.approx(0.0, abs=0.5)
    assert column(low, "alpha_ratio") > 20.0 > -20.0 > column(high, "alpha_ratio")
    assert column(low, "hammarberg") > 20.0 > -20.0 > column(high, "hammarberg")


def test_noise_is_flat_and_changes_while_a_tone_does_neither() -> None:
    steady, rough = analysed((tone(1.0) / 32768.0).astype(np.float32)), analysed(noise(1.0))
    assert column(steady, "flatness") < -20.0 < column(rough, "flatness")
    assert column(steady, "flux") < 0.1 < column(rough, "flux")


def test_a_periodic_sound_has_harmonics_over_noise() -> None:
    pulse = np.zeros(RATE)
    pulse[::100] = 1.0
    hnr = PERIODICITY.index("hnr")
    f0 = np.full(61, RATE / 100)
    assert np.median(periodicity(analysed(pulse.astype(np.float32)), f0)[:, hnr]) > 12.0
    assert np.median(periodicity(analysed(noise(1.0)), f0)[:, hnr]) < 0.0


def test_the_stronger_first_harmonic_is_seen() -> None:
    time = np.arange(RATE) / RATE
    voice = np.sin(2 * np.pi * 200 * time) + 0.1 * np.sin(2 * np.pi * 400 * time)
    h1_h2 = periodicity(analysed(voice.astype(np.float32)), np.full(61, 200.0))[:, PERIODICITY.index("h1_h2")]
    assert np.median(h1_h2) == pytest.approx(20.0, abs=1.0)
