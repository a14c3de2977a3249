from itertools import pairwise

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.pitch import SwiftF0Tracker
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
