import numpy as np
import pytest
from support.audio import tone, voice
from swift_f0 import SwiftF0

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.values import Samples


@pytest.fixture(scope="module")
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def samples(pcm: np.typing.NDArray[np.int16]) -> Samples:
    return (pcm / 32768.0).astype(np.float32)


def test_it_answers_as_the_package_itself(tracker: SwiftF0Tracker) -> None:
    audio = samples(voice(2.0))
    track, theirs = tracker.track(audio), SwiftF0(threads=1).detect(audio[: len(audio) // 256 * 256], 16_000)
    np.testing.assert_allclose(track.f0, theirs.pitch_hz, rtol=1e-5)
    np.testing.assert_allclose(track.voicing, theirs.confidence, atol=1e-5)


@pytest.mark.parametrize("frequency", [110.0, 220.0, 440.0, 800.0])
def test_the_pitch_of_a_tone_is_found(tracker: SwiftF0Tracker, frequency: float) -> None:
    track = tracker.track(samples(tone(1.0, frequency=frequency)))
    assert float(np.median(track.f0)) == pytest.approx(frequency, rel=0.01)


@pytest.mark.parametrize("level", [0.0, 5e-4])
def test_silence_is_unvoiced(tracker: SwiftF0Tracker, level: float) -> None:
    quiet = (samples(voice(1.0)) * np.float32(level)).astype(np.float32)
    assert tracker.track(quiet).voicing.max() == 0.0


@pytest.mark.parametrize(("length", "hops"), [(0, 0), (255, 0), (256, 1), (1000, 3)])
def test_each_whole_hop_has_one_estimate(tracker: SwiftF0Tracker, length: int, hops: int) -> None:
    track = tracker.track(np.zeros(length, np.float32))
    assert (len(track.f0), len(track.voicing)) == (hops, hops)
