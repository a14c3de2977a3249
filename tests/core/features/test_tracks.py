from itertools import pairwise

import numpy as np
import pytest
from support.audio import tone, voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.pitch import HOP
from vser_stream.core.features.tracks import Tracker, Tracks
from vser_stream.values import RATE, Pcm


@pytest.fixture(scope="module")
def pitch() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def tracked(pitch: SwiftF0Tracker, pcm: Pcm, cuts: list[int]) -> Tracks:
    tracker = Tracker(pitch)
    for start, end in pairwise([0, *cuts, len(pcm)]):
        tracker.feed(pcm[start:end])
    return tracker.tracks(0, len(pcm))


def assert_same(one: Tracks, other: Tracks) -> None:
    for name in ("f0", "voicing", "level", "mfcc", "balance", "periodicity"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-3, err_msg=name
        )


@pytest.mark.parametrize("cuts", [[100], [511, 512, 513], [0, 21_120, 21_120, 29_281, 37_003]])
def test_tracks_do_not_depend_on_how_the_audio_was_cut(pitch: SwiftF0Tracker, cuts: list[int]) -> None:
    pcm = voice(3.0)
    assert_same(tracked(pitch, pcm, cuts), tracked(pitch, pcm, []))


def test_all_tracks_have_a_row_for_each_frame(pitch: SwiftF0Tracker) -> None:
    tracks = tracked(pitch, voice(1.0), [])
    frames = RATE // HOP - 1
    assert {len(track) for track in (tracks.f0, tracks.voicing, tracks.level, tracks.mfcc)} == {frames}
    assert {len(track) for track in (tracks.balance, tracks.periodicity)} == {frames}


def test_a_stretch_holds_the_frames_centred_in_it(pitch: SwiftF0Tracker) -> None:
    pcm = np.concatenate([np.zeros(RATE, np.int16), tone(1.0), np.zeros(RATE, np.int16)])
    tracker = Tracker(pitch)
    tracker.feed(pcm)
    middle = tracker.tracks(RATE + HOP, 2 * RATE - HOP)
    assert len(middle.level) == pytest.approx(RATE / HOP - 2, abs=1)
    assert middle.level.min() > -14.0
    assert middle.f0[5:-5] == pytest.approx(440.0, rel=0.01)
    assert tracker.tracks(0, RATE - HOP).level.max() == pytest.approx(-140.0)


def test_mains_hum_is_filtered_out(pitch: SwiftF0Tracker) -> None:
    hum = tracked(pitch, tone(1.0, frequency=50.0), []).level
    speech = tracked(pitch, tone(1.0, frequency=200.0), []).level
    assert np.median(speech) - np.median(hum) > 20.0
