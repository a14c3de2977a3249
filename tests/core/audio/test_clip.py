from __future__ import annotations

import numpy as np
import pytest
from support.corpora import speak

from vser_stream.core.audio.clip import clip_segment, first_part
from vser_stream.errors import AudioError
from vser_stream.values import FRAME, RATE, Block, Cut, Label, Pcm, SegmentKind


class Loud:
    """Takes every frame over -50 dB re full scale for speech."""

    def is_speech(self, pcm: Pcm) -> bool:
        return float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))) > 32768 * 10 ** (-50 / 20)


def voice(pause: float) -> Pcm:
    rng = np.random.default_rng(0)
    first, second = (speak(Label.ANGRY, pitch=120, rng=rng, length=1.0) for _ in range(2))
    return np.concatenate([first, np.zeros(round(pause * RATE), np.int16), second])


def blocks(pcm: Pcm, size: int) -> list[Block]:
    return [
        Block(pcm[at : at + size].copy(), start=at, heard_at=at / RATE) for at in range(0, len(pcm), size)
    ]


def test_a_recording_is_one_utterance_from_its_first_speech_to_its_last() -> None:
    segment = clip_segment(blocks(voice(pause=2.0), 1600), Loud())
    assert (segment.kind, segment.cut) == (SegmentKind.UTTERANCE, Cut.SILENCE)
    assert segment.onset / RATE == pytest.approx(0.5, abs=0.1)
    assert segment.end / RATE == pytest.approx(5.25, abs=0.1)
    assert segment.start < segment.onset < segment.end <= segment.start + len(segment.pcm)


def test_the_segment_does_not_depend_on_how_the_recording_was_cut() -> None:
    one, other = (clip_segment(blocks(voice(pause=1.0), size), Loud()) for size in (317, 16_000))
    assert (one.start, one.onset, one.end) == (other.start, other.onset, other.end)
    assert np.array_equal(one.pcm, other.pcm)


def test_a_recording_without_speech_is_taken_whole() -> None:
    silence = np.zeros(RATE, np.int16)
    segment = clip_segment(blocks(silence, 1000), Loud())
    assert (segment.start, segment.onset, segment.end, len(segment.pcm)) == (0, 0, RATE, RATE)


@pytest.mark.parametrize("length", [0, FRAME - 1])
def test_a_recording_shorter_than_a_frame_is_refused(length: int) -> None:
    with pytest.raises(AudioError, match="give a longer recording"):
        clip_segment(blocks(np.zeros(length, np.int16), 100), Loud())


def test_a_first_part_is_what_a_window_would_hold() -> None:
    whole = clip_segment(blocks(voice(pause=1.0), 1600), Loud())
    part = first_part(whole, 1.0)
    assert (part.kind, part.cut) == (SegmentKind.WINDOW, None)
    assert (part.start, part.onset, part.end) == (whole.start, whole.onset, whole.onset + RATE)
    assert np.array_equal(part.pcm, whole.pcm[: part.end - part.start])


def test_a_first_part_longer_than_the_speech_ends_with_it() -> None:
    whole = clip_segment(blocks(voice(pause=1.0), 1600), Loud())
    assert first_part(whole, 60.0).end == whole.end
