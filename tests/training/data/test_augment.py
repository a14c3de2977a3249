from __future__ import annotations

import numpy as np
import pytest

from vser_stream.training.data.augment import CLEAN, CONDITIONS, Augmentation, Codec, draw
from vser_stream.values import RATE, Pcm

TONE = np.round(8000 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.int16)


def spoiled(how: Augmentation, pcm: Pcm = TONE, seed: int = 0) -> Pcm:
    return how.apply(pcm, np.random.default_rng(seed))


def snr_db(pcm: Pcm) -> float:
    noise = pcm.astype(np.float64) - TONE
    return float(10 * np.log10(np.mean(TONE.astype(np.float64) ** 2) / np.mean(noise**2)))


def test_clean_changes_nothing() -> None:
    assert np.array_equal(spoiled(CLEAN), TONE)


@pytest.mark.parametrize("how", CONDITIONS, ids=lambda how: how.name)
def test_every_condition_keeps_the_length_and_the_seed_decides_it(how: Augmentation) -> None:
    once = spoiled(how)
    assert (once.dtype, once.shape) == (TONE.dtype, TONE.shape)
    assert np.array_equal(once, spoiled(how))


@pytest.mark.parametrize("tilt", [0.0, 1.0])
@pytest.mark.parametrize("asked", [20.0, 5.0])
def test_noise_lies_as_far_below_the_loud_half_as_asked(asked: float, tilt: float) -> None:
    noisy = spoiled(Augmentation("x", snr_db=asked, tilt=tilt))
    loud = np.mean(np.sort(TONE.astype(np.float64) ** 2)[len(TONE) // 2 :])
    noise = np.mean((noisy.astype(np.float64) - TONE) ** 2)
    assert 10 * np.log10(loud / noise) == pytest.approx(asked, abs=0.1)


@pytest.mark.parametrize(("frequency", "gain_db"), [(500, -3.0), (2000, 3.0), (4000, 6.0)])
def test_a_slope_changes_the_tone_by_so_much_an_octave(frequency: int, gain_db: float) -> None:
    tone = np.round(5000 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)).astype(np.int16)
    louder = spoiled(Augmentation("x", slope_db=3.0), tone)[2000:-2000].astype(np.float64).std()
    assert 20 * np.log10(louder / tone.std()) == pytest.approx(gain_db, abs=0.3)


def test_a_small_microphone_takes_no_low_tones() -> None:
    hum = np.round(8000 * np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE)).astype(np.int16)
    assert spoiled(Augmentation("x", low_cut=200.0), hum).std() < 0.1 * hum.std()


def test_a_clipped_recording_is_driven_over_full_scale() -> None:
    driven = spoiled(Augmentation("x", peak_db=12.0))
    assert np.mean(driven >= 32767) > 0.3


def test_another_seed_gives_other_noise() -> None:
    how = Augmentation("x", snr_db=10.0)
    assert not np.array_equal(spoiled(how, seed=0), spoiled(how, seed=1))


@pytest.mark.parametrize("codec", list(Codec))
def test_a_telephone_codec_leaves_a_tone_at_the_snr_of_eight_bits(codec: Codec) -> None:
    assert 33 < snr_db(spoiled(Augmentation("x", codec=codec))) < 45


@pytest.mark.parametrize("codec", list(Codec))
def test_a_telephone_codec_passes_nothing_above_four_kilohertz(codec: Codec) -> None:
    hiss = np.random.default_rng(0).integers(-8000, 8000, RATE).astype(np.int16)
    power = np.abs(np.fft.rfft(spoiled(Augmentation("x", codec=codec), hiss).astype(float))) ** 2
    assert power[4400:].sum() < 1e-3 * power[:3600].sum()


def test_a_room_rings_after_the_sound_for_its_reverberation_time() -> None:
    click = np.zeros(RATE, np.int16)
    click[0] = 20_000
    tail = spoiled(Augmentation("x", rt60=0.5), click).astype(np.float64)
    early, late = (np.sqrt(np.mean(tail[at : at + 800] ** 2)) for at in (800, 4800))
    # 250 ms of a 60 dB decay over 500 ms.
    assert 20 * np.log10(early / late) == pytest.approx(30, abs=2)


def test_gain_beyond_full_scale_is_clipped_not_wrapped() -> None:
    loud = spoiled(Augmentation("x", gain_db=40.0))
    assert (loud.min(), loud.max()) == (-32768, 32767)
    assert np.all(np.sign(loud) == np.sign(TONE))


def test_random_mixtures_are_decided_by_the_generator_and_differ() -> None:
    first = [draw("x", rng) for rng in [np.random.default_rng(0)] for _ in range(5)]
    again = [draw("x", rng) for rng in [np.random.default_rng(0)] for _ in range(5)]
    assert first == again
    assert len(set(first)) == 5
