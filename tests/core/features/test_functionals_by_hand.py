"""Functionals of frames that are made by hand, so that each figure can be worked out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vser_stream.core.features.cepstrum import MFCCS
from vser_stream.core.features.functionals import FEATURES, functionals
from vser_stream.core.features.spectrum import BALANCE, PERIODICITY
from vser_stream.core.features.tracks import FRAME_PERIOD, Tracks


def hertz(semitones: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of semitones above 55 Hz."""
    return np.array([55.0 * 2.0 ** (one / 12.0) for one in semitones])


def tracks(
    semitones: list[float], *, level: list[float] | None = None, voicing: list[float] | None = None
) -> Tracks:
    """So many frames, all voiced and of one level if nothing else is said; no timbre."""
    n = len(semitones)
    return Tracks(
        f0=hertz(semitones),
        voicing=np.array(voicing or [1.0] * n),
        level=np.array(level or [-20.0] * n),
        mfcc=np.zeros((n, MFCCS)),
        balance=np.zeros((n, len(BALANCE))),
        periodicity=np.zeros((n, len(PERIODICITY))),
    )


def measured(of: Tracks) -> dict[str, float]:
    return dict(zip(FEATURES, functionals(of).tolist(), strict=True))


def test_quantiles_of_pitch_are_those_of_numpy_and_ranges_lie_between_them() -> None:
    pitch = [3.0, 9.0, 1.0, 12.0, 7.0, 20.0, 4.5, 11.0]
    found = measured(tracks(pitch))
    for name, share in (("p5", 5), ("p20", 20), ("p50", 50), ("p80", 80), ("p95", 95)):
        assert found[f"pitch_{name}"] == pytest.approx(np.percentile(pitch, share), abs=1e-4)
    assert found["pitch_mean"] == pytest.approx(np.mean(pitch), abs=1e-4)
    assert found["pitch_sd"] == pytest.approx(np.std(pitch), abs=1e-4)
    assert found["pitch_range_60"] == pytest.approx(found["pitch_p80"] - found["pitch_p20"], abs=1e-4)
    assert found["pitch_range_90"] == pytest.approx(found["pitch_p95"] - found["pitch_p5"], abs=1e-4)


def test_an_even_glide_has_its_slope_its_motion_and_no_jitter() -> None:
    per_frame = 0.25
    found = measured(tracks([20.0 + per_frame * frame for frame in range(40)]))
    per_second = per_frame / FRAME_PERIOD
    assert found["pitch_slope"] == pytest.approx(per_second, rel=1e-4)
    assert found["pitch_motion"] == pytest.approx(per_second, rel=1e-4)
    assert found["pitch_rising"] == pytest.approx(per_second, rel=1e-4)
    assert found["pitch_falling"] == 0.0
    assert found["pitch_rising_share"] == 1.0
    assert found["jitter"] == pytest.approx(0.0, abs=1e-4)
    assert found["pitch_trend"] == pytest.approx(20 * per_frame, rel=1e-4), "second half over the first"


def test_a_voice_that_trembles_moves_as_far_up_as_down_and_has_twice_that_for_jitter() -> None:
    step = 0.5
    found = measured(tracks([24.0 + step * (frame % 2) for frame in range(41)]))
    assert found["jitter"] == pytest.approx(2 * step, rel=1e-4)
    assert found["pitch_rising_share"] == 0.5
    assert found["pitch_rising"] == pytest.approx(-found["pitch_falling"], rel=1e-4)
    assert found["pitch_slope"] == pytest.approx(0.0, abs=0.1)


def test_a_leap_of_an_octave_is_an_error_of_the_tracker_and_cut_at_two_semitones() -> None:
    found = measured(tracks([24.0, 36.0, 36.0, 24.0]))
    assert found["pitch_rising"] == pytest.approx(2.0 / FRAME_PERIOD, rel=1e-4)
    assert found["pitch_falling"] == pytest.approx(-2.0 / FRAME_PERIOD, rel=1e-4)
    assert found["pitch_motion"] == pytest.approx(4.0 / 3.0 / FRAME_PERIOD, rel=1e-4)
    assert found["jitter"] == 2.0


def test_no_step_leads_over_a_frame_without_voice() -> None:
    found = measured(tracks([24.0, 24.0, 99.0, 30.0, 30.0], voicing=[1.0, 1.0, 0.49, 1.0, 1.0]))
    assert found["pitch_motion"] == 0.0
    assert found["jitter"] == 0.0
    assert found["pitch_p95"] < 31.0
    assert measured(tracks([24.0, 26.0], voicing=[0.5, 0.5]))["pitch_motion"] > 0.0, "voiced from 0.5 on"


def test_what_is_25_db_under_the_loud_frames_is_no_speech() -> None:
    level = [-20.0] * 10 + [-45.0] * 10 + [-45.1] * 20
    found = measured(tracks([24.0] * 40, level=level))
    assert found["active_s"] == pytest.approx(20 * FRAME_PERIOD)
    assert found["voiced_s"] == pytest.approx(20 * FRAME_PERIOD)
    assert found["active_share"] == pytest.approx(0.5)
    assert found["pause_share"] == pytest.approx(0.5)
    assert found["pause_rate"] == pytest.approx(1 / (40 * FRAME_PERIOD), rel=1e-4)


@pytest.mark.parametrize(("frames", "pauses"), [(2, 0), (3, 1)])
def test_a_pause_is_three_frames_long(frames: int, pauses: int) -> None:
    level = [-20.0] * 20 + [-70.0] * frames + [-20.0] * 20
    found = measured(tracks([24.0] * len(level), level=level))
    assert found["pause_rate"] == pytest.approx(pauses / (len(level) * FRAME_PERIOD), rel=1e-4)
    assert found["pause_share"] == pytest.approx(pauses * frames / len(level), rel=1e-4)


def test_voiced_stretches_are_counted_and_their_lengths_told() -> None:
    voicing = [1.0] * 4 + [0.0] * 2 + [1.0] * 8 + [0.0]
    found = measured(tracks([24.0] * 15, voicing=voicing))
    assert found["voiced_rate"] == pytest.approx(2 / (15 * FRAME_PERIOD), rel=1e-4)
    assert found["voiced_length"] == pytest.approx(6 * FRAME_PERIOD, rel=1e-4)
    assert found["voiced_length_sd"] == pytest.approx(2 * FRAME_PERIOD, rel=1e-4)
    assert found["voiced_share"] == pytest.approx(12 / 15, rel=1e-4)
    assert found["voicing"] == pytest.approx(12 / 15, rel=1e-4)


def test_level_has_its_shape_whatever_the_gain() -> None:
    level = [-30.0, -24.0, -20.0, -21.0, -35.0, -28.0]
    found = measured(tracks([24.0] * 6, level=level))
    assert found["level_p50"] == pytest.approx(np.percentile(level, 50), abs=1e-4)
    assert found["level_p95"] == pytest.approx(np.percentile(level, 95), abs=1e-4)
    assert found["energy_low"] == pytest.approx(np.percentile(level, 50) - np.percentile(level, 5), abs=1e-4)
    assert found["energy_high"] == pytest.approx(
        np.percentile(level, 95) - np.percentile(level, 50), abs=1e-4
    )
    assert found["energy_sd"] == pytest.approx(np.std(level), abs=1e-4)
    centred = np.array(level) - np.mean(level)
    assert found["energy_skew"] == pytest.approx(np.mean(centred**3) / np.std(level) ** 3, abs=1e-4)
    steps = np.diff(level)
    assert found["energy_motion"] == pytest.approx(np.mean(np.abs(steps)), abs=1e-4)
    assert found["energy_rising"] == pytest.approx(np.mean(steps[steps > 0]), abs=1e-4)
    assert found["energy_falling"] == pytest.approx(np.mean(steps[steps < 0]), abs=1e-4)
    assert found["shimmer"] == pytest.approx(np.mean(np.minimum(np.abs(np.diff(level, 2)), 12.0)), abs=1e-4)
    louder = measured(tracks([24.0] * 6, level=[one + 7.0 for one in level]))
    assert {name for name in FEATURES if abs(louder[name] - found[name]) > 1e-4} == {"level_p50", "level_p95"}


def test_syllables_are_counted_by_the_peaks_of_the_level() -> None:
    frames = np.arange(120)
    found = measured(tracks([24.0] * 120, level=(-30.0 + 8.0 * np.cos(2 * np.pi * frames / 20)).tolist()))
    assert found["peak_rate"] == pytest.approx(5 / (120 * FRAME_PERIOD), rel=0.01)


def test_pitch_and_level_that_rise_together_correlate_and_that_part_do_the_opposite() -> None:
    pitch = [20.0 + 0.1 * frame for frame in range(20)]
    together = [-40.0 + frame for frame in range(20)]
    assert measured(tracks(pitch, level=together))["pitch_level_correlation"] == pytest.approx(1.0, abs=1e-5)
    apart = measured(tracks(pitch, level=together[::-1]))
    assert apart["pitch_level_correlation"] == pytest.approx(-1.0, abs=1e-5)
    assert apart["level_trend"] == pytest.approx(-10.0, abs=1e-4)
    assert measured(tracks([24.0] * 20, level=together))["pitch_level_correlation"] == 0.0


def test_timbre_is_of_voiced_frames_and_what_is_said_without_voice_is_told_apart() -> None:
    plain = tracks([24.0] * 6, voicing=[1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    balance = np.zeros((6, len(BALANCE)))
    balance[:, 0] = [1.0, 2.0, 3.0, 4.0, 50.0, 70.0]
    mfcc = np.zeros((6, MFCCS))
    mfcc[:, 0] = 1000.0  # the level of a frame: no part of timbre
    found = measured(replace(plain, balance=balance, mfcc=mfcc))
    name = BALANCE[0]
    assert found[f"{name}_mean"] == pytest.approx(2.5)
    assert found[f"{name}_sd"] == pytest.approx(math.sqrt(1.25))
    assert found[f"{name}_motion"] == pytest.approx(1.0)
    assert found[f"unvoiced_{name}"] == pytest.approx(60.0)
    assert max(abs(value) for key, value in found.items() if "mfcc" in key) == 0.0


def test_of_a_whisper_nothing_is_said_that_only_a_voice_has() -> None:
    whisper = tracks([24.0] * 6, voicing=[0.2] * 6)
    found = measured(replace(whisper, periodicity=np.full((6, len(PERIODICITY)), 9.0)))
    assert found["voiced_s"] == found["pitch_p50"] == found["jitter"] == 0.0
    assert found["active_s"] == pytest.approx(6 * FRAME_PERIOD)
    assert all(found[f"{name}_mean"] == 0.0 for name in PERIODICITY)


numbers = st.floats(-80.0, 0.0)


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(*[arrays.arrays(float, n, elements=numbers)] * 2)))
def test_every_feature_is_finite_of_any_frames(
    drawn: tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    pitch, level = drawn
    voicing = ((np.arange(len(pitch)) % 3) / 2).tolist()
    of = tracks((pitch + 100.0).tolist(), level=level.tolist(), voicing=voicing)
    assert np.isfinite(functionals(of)).all()
