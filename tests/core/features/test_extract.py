import numpy as np
import pytest
from numpy.typing import NDArray
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.extract import Extractor
from vser_stream.core.features.pitch import HOP, LOOKAHEAD
from vser_stream.values import RATE, Pcm, PitchTrack, Segment, SegmentKind, Spectra, Vector

ONSET = 4800
HANGOVER = 4800


@pytest.fixture(scope="module")
def pitch() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def segment(pcm: Pcm, end: int, kind: SegmentKind = SegmentKind.UTTERANCE, start: int = 0) -> Segment:
    return Segment(
        kind=kind,
        pcm=pcm.copy(),
        start=start,
        onset=start + ONSET,
        end=start + end,
        heard_at=0.0,
        floor_db=-60.0,
    )


def spoken(seed: int = 1, tail: Pcm | None = None) -> Pcm:
    quiet = np.zeros(HANGOVER, np.int16)
    return np.concatenate([quiet, voice(2.5, seed=seed), quiet if tail is None else tail])


def assert_close(one: Vector, other: Vector) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def windows(pcm: Pcm, lengths: list[float]) -> list[Segment]:
    cuts = [ONSET + round(seconds * RATE) for seconds in lengths]
    return [segment(pcm[:cut], cut, SegmentKind.WINDOW) for cut in cuts]


@pytest.mark.parametrize("lengths", [[], [1.0], [1.02, 1.53, 2.04], [0.2, 2.4, 2.4]])
def test_an_utterance_has_one_row_however_many_windows_came_before(
    pitch: SwiftF0Tracker, lengths: list[float]
) -> None:
    pcm = spoken()
    utterance = segment(pcm, len(pcm) - HANGOVER)
    extractor = Extractor(pitch)
    for window in windows(pcm, lengths):
        extractor.extract(window)
    assert_close(extractor.extract(utterance), Extractor(pitch).extract(utterance))


def test_a_window_has_one_row_however_many_came_before(pitch: SwiftF0Tracker) -> None:
    first, second = windows(spoken(), [1.0, 1.5])
    extractor = Extractor(pitch)
    extractor.extract(first)
    assert_close(extractor.extract(second), Extractor(pitch).extract(second))


def test_what_follows_the_speech_is_not_pooled(pitch: SwiftF0Tracker) -> None:
    speech = voice(2.5)
    quiet = np.zeros(HANGOVER, np.int16)
    rows: list[NDArray[np.float32]] = []
    for after in (0, 20_000):
        pcm = np.concatenate([quiet, speech, quiet, voice(2.0, seed=9)[:after]])
        rows.append(Extractor(pitch).extract(segment(pcm, ONSET + len(speech))))
    assert np.array_equal(rows[0], rows[1])


def test_the_next_utterance_starts_afresh_even_at_the_same_position(pitch: SwiftF0Tracker) -> None:
    one, other = spoken(seed=1), spoken(seed=2)
    extractor = Extractor(pitch)
    extractor.extract(segment(one, len(one) - HANGOVER))
    again = segment(other, len(other) - HANGOVER)
    assert np.array_equal(extractor.extract(again), Extractor(pitch).extract(again))


def test_a_row_does_not_depend_on_where_in_the_stream_it_is(pitch: SwiftF0Tracker) -> None:
    pcm = spoken()
    early, late = (segment(pcm, len(pcm) - HANGOVER, start=start) for start in (0, 1_000_003))
    assert np.array_equal(Extractor(pitch).extract(early), Extractor(pitch).extract(late))


class Counting(SwiftF0Tracker):
    """Knows how many hops it was asked for."""

    asked = 0

    def track(self, spectra: Spectra) -> PitchTrack:
        track = super().track(spectra)
        self.asked += len(track.f0)
        return track


@pytest.mark.parametrize("lengths", [[], [1.0, 1.5, 2.0]])
def test_a_hop_is_tracked_once_but_for_the_last_ones_of_a_window(lengths: list[float]) -> None:
    """The tracker is the cost of a row: nothing is asked of it that no row needs."""
    pcm, tracker = spoken(), Counting()
    extractor = Extractor(tracker)
    utterance = segment(pcm, len(pcm) - HANGOVER)
    for one in (*windows(pcm, lengths), utterance):
        extractor.extract(one)
    spoken_hops = (utterance.end - utterance.onset) // HOP
    assert spoken_hops <= tracker.asked <= spoken_hops + 1 + LOOKAHEAD * (len(lengths) + 1) + 2
