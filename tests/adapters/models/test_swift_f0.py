import numpy as np
import pytest
from support.audio import tone

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.log_frequency import BANDS, CONTEXT, HOP, WINDOWS, Spectrogram


@pytest.fixture(scope="module")
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


@pytest.mark.parametrize("frequency", [110.0, 220.0, 440.0, 800.0])
def test_the_pitch_of_a_tone_is_found(tracker: SwiftF0Tracker, frequency: float) -> None:
    audio = (tone(1.0, frequency=frequency)[: 62 * HOP] / 32768.0).astype(np.float32)
    track = tracker.track(Spectrogram().feed(audio))
    assert float(np.median(track.f0)) == pytest.approx(frequency, rel=0.01)
    assert float(np.median(track.voicing)) >= 0.5


@pytest.mark.parametrize(("seen", "hops"), [(0, 0), (CONTEXT, 0), (CONTEXT + 1, 1), (CONTEXT + 30, 30)])
def test_each_hop_after_the_context_has_one_estimate(tracker: SwiftF0Tracker, seen: int, hops: int) -> None:
    track = tracker.track(np.zeros((len(WINDOWS), BANDS, seen), np.float32))
    assert (len(track.f0), len(track.voicing)) == (hops, hops)
