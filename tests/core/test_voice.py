import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.core.features.extract import Extractor
from vser_stream.core.voice import no_voice, voiced_s
from vser_stream.values import RATE, Pcm, Segment, SegmentKind, Vector

TIME = np.arange(2 * RATE) / RATE
NOISE = np.random.default_rng(0)


def measured(wave: np.ndarray) -> Vector:
    pcm: Pcm = np.asarray(wave, np.int16)
    segment = Segment(
        kind=SegmentKind.UTTERANCE, pcm=pcm, start=0, onset=0, end=len(pcm), heard_at=0.0, floor_db=-60.0
    )
    return Extractor(SwiftF0Tracker()).extract(segment)


def harmonics(pitch_hz: np.ndarray) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    return np.asarray(sum(np.sin(order * phase) / order for order in range(1, 16)))


def test_speech_is_a_voice() -> None:
    vector = measured(voice(2.0))
    assert no_voice(vector) is None
    assert voiced_s(vector) > 0.5


def test_a_scream_that_is_held_is_a_voice_although_it_is_as_steady_as_a_machine() -> None:
    tremor = 1 + 0.02 * np.sin(2 * np.pi * 6 * TIME) + 0.004 * NOISE.normal(size=len(TIME)).cumsum() / 50
    scream = 6000 * harmonics(520.0 * tremor) + 300 * NOISE.normal(size=len(TIME))
    assert no_voice(measured(scream)) is None


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        (300 * NOISE.normal(size=len(TIME)), "voice"),
        (2000 * harmonics(np.full(len(TIME), 100.0)) + 3000 * NOISE.normal(size=len(TIME)), "steady noise"),
        (8000 * np.sin(2 * np.pi * 440 * TIME) * np.exp(-3 * (TIME % 0.7)), "a tone"),
        (np.zeros(len(TIME)), "only 0.00 s of voice"),
    ],
    ids=["hiss", "a hum in noise", "a bell", "nothing"],
)
def test_what_a_home_sounds_like_is_not(wave: np.ndarray, says: str) -> None:
    assert says in str(no_voice(measured(wave)))
