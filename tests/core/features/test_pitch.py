from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.log_frequency import CONTEXT
from vser_stream.core.features.pitch import HOP, LOOKAHEAD, PitchStream
from vser_stream.values import RATE, PitchTrack, Samples


@pytest.fixture(scope="module")
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def speech(seconds: float) -> Samples:
    return (voice(seconds) / 32768.0).astype(np.float32)


def streamed(tracker: SwiftF0Tracker, samples: Samples, cuts: list[int]) -> PitchTrack:
    stream = PitchStream(tracker)
    for start, end in pairwise([0, *cuts, len(samples)]):
        track = stream.feed(samples[start:end])
    return track


@pytest.mark.parametrize("cuts", [[100], [256, 20_000], [1, 2, 21_120, 29_280, 37_000]])
def test_a_stream_gives_what_one_pass_gives_wherever_it_was_cut(
    tracker: SwiftF0Tracker, cuts: list[int]
) -> None:
    samples = speech(3.0)
    whole = streamed(tracker, samples, [])
    parts = streamed(tracker, samples, cuts)
    assert len(whole.f0) == len(samples) // HOP
    np.testing.assert_allclose(parts.voicing, whole.voicing, atol=0.02)
    voiced = whole.voicing >= 0.5
    assert voiced.mean() > 0.5
    np.testing.assert_allclose(parts.f0[voiced], whole.f0[voiced], rtol=2e-4)


def test_only_the_lookahead_may_still_change(tracker: SwiftF0Tracker) -> None:
    samples = speech(2.0)
    stream = PitchStream(tracker)
    early = stream.feed(samples[: 60 * HOP])
    late = stream.feed(samples[60 * HOP :])
    settled = 60 - LOOKAHEAD
    np.testing.assert_allclose(late.voicing[:settled], early.voicing[:settled], atol=1e-4)
    assert not np.allclose(late.voicing[settled:60], early.voicing[settled:], atol=1e-4)


def test_a_microphone_30_db_quieter_hears_the_same_voice(tracker: SwiftF0Tracker) -> None:
    samples = speech(2.0)
    loud = streamed(tracker, samples, [])
    quiet = streamed(tracker, samples * np.float32(10 ** (-30 / 20)), [])
    np.testing.assert_allclose(quiet.voicing, loud.voicing, atol=0.02)


def test_less_than_a_hop_has_no_estimate(tracker: SwiftF0Tracker) -> None:
    assert len(PitchStream(tracker).feed(speech(1.0)[: HOP - 1]).f0) == 0


@pytest.mark.parametrize("level", [0.0, 5e-4])
def test_silence_after_a_voice_is_unvoiced(tracker: SwiftF0Tracker, level: float) -> None:
    """And so is what is left of a voice 66 dB below it."""
    samples = np.concatenate([speech(1.0), speech(1.0) * np.float32(level)])
    assert streamed(tracker, samples, [20_000]).voicing[RATE // HOP + 8 :].max() == 0.0


def test_a_voice_at_once_is_heard_as_one_with_a_second_before_it(tracker: SwiftF0Tracker) -> None:
    """Clips are cut so; a network that takes the border for a sound misjudges the first tenth of a second."""
    samples = speech(3.0)[: 160 * HOP]
    whole, late = streamed(tracker, samples, []), streamed(tracker, samples[60 * HOP :], [])
    wrong = (late.voicing[:8] >= 0.5) != (whole.voicing[60:68] >= 0.5)
    assert wrong.sum() == 0


def complex_tone(base: float, *, snr_db: float) -> tuple[Samples, NDArray[np.float64], NDArray[np.bool_]]:
    """Harmonics with vibrato and gaps in white noise; also their true pitch (Hz) and when they sound."""
    rng = np.random.default_rng(round(base))
    time = np.arange(3 * RATE) / RATE
    pitch = base * 2.0 ** (np.sin(2.0 * np.pi * 5.0 * time) / 24.0 + 0.3 * np.sin(2.0 * np.pi * 0.4 * time))
    phase = 2.0 * np.pi * np.cumsum(pitch) / RATE
    sounds = time % 1.0 < 0.75
    harmonics = range(1, int(2800.0 / base) + 1)
    tones = sum(np.sin(order * phase + rng.uniform(0.0, 6.0)) / order for order in harmonics) * sounds
    power = float(np.mean(np.square(tones[sounds])))
    heard = tones + rng.standard_normal(len(time)) * np.sqrt(power / 10.0 ** (snr_db / 10.0))
    return np.asarray(0.25 * heard / np.abs(tones).max(), np.float32), pitch, sounds


@pytest.mark.parametrize("snr_db", [60.0, 10.0, 0.0])
def test_pitch_and_voicing_are_right_in_noise(tracker: SwiftF0Tracker, snr_db: float) -> None:
    """What a cheaper tracker must do as well: pitch within 200 cents, and voicing 20 ms from an edge."""
    gross, unheard = [], []
    for base in (95.0, 160.0, 270.0, 450.0):
        samples, pitch, sounds = complex_tone(base, snr_db=snr_db)
        track = streamed(tracker, samples, [20_000, 36_000])
        at = np.arange(CONTEXT, len(track.f0) - LOOKAHEAD) * HOP
        f0, voiced = track.f0[at // HOP], track.voicing[at // HOP] >= 0.5
        clear = np.array([sounds[one - 320 : one + 321].mean() in {0.0, 1.0} for one in at])
        unheard += list((voiced != sounds[at])[clear])
        both = clear & voiced & sounds[at]
        gross += list(np.abs(np.log2(f0[both] / pitch[at[both]])) > 200.0 / 1200.0)
    assert np.mean(gross) <= 0.002
    assert np.mean(unheard) <= 0.015
