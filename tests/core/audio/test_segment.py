import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.config.schema import SegmentConfig
from vser_stream.core.audio.segment import Segmenter
from vser_stream.values import FRAME, RATE, Cut, Frame, Segment, SegmentKind

LOUD = 3000
QUIET = 10
START = 1_700_000_000.0


def frames_of(speech: str, gaps: tuple[int, ...] = ()) -> list[tuple[Frame, bool]]:
    """One frame for each letter: ``#`` loud speech, ``.`` quiet, ``n`` loud but not speech."""
    frames = []
    for index, letter in enumerate(speech):
        level = QUIET if letter == "." else LOUD
        pcm = np.full(FRAME, level, np.int16) + np.arange(FRAME, dtype=np.int16) % 2
        at = START + index * FRAME / RATE
        frame = Frame(pcm=pcm, start=index * FRAME, heard_at=at, after_gap=index in gaps)
        frames.append((frame, letter == "#"))
    return frames


def cut(speech: str, gaps: tuple[int, ...] = (), config: SegmentConfig | None = None) -> list[Segment]:
    segmenter = Segmenter(config)
    parts = [
        s for frame, is_speech in frames_of(speech, gaps) for s in segmenter.feed(frame, is_speech=is_speech)
    ]
    return parts + segmenter.flush()


def utterances(parts: list[Segment]) -> list[Segment]:
    return [part for part in parts if part.kind is SegmentKind.UTTERANCE]


def test_an_utterance_has_its_preroll_and_closes_after_the_hangover() -> None:
    (part,) = cut("." * 20 + "#" * 10 + "." * 30)
    assert (part.onset, part.end) == (20 * FRAME, 30 * FRAME)
    assert part.onset - part.start == 10 * FRAME + FRAME  # 300 ms, and the frame that had no vote
    assert len(part.pcm) == part.end + 10 * FRAME - part.start
    assert part.cut is Cut.SILENCE
    assert part.heard_at == START + 20 * FRAME / RATE


def test_a_pause_shorter_than_the_hangover_does_not_split() -> None:
    assert len(utterances(cut("." * 20 + "#" * 10 + "." * 9 + "#" * 10 + "." * 30))) == 1


def test_windows_come_at_one_second_and_every_half_second() -> None:
    parts = cut("." * 20 + "#" * 90 + "." * 30)
    windows = [part for part in parts if part.kind is SegmentKind.WINDOW]
    assert [(w.end - w.onset) // FRAME for w in windows] == [33, 50, 67, 84]
    assert {w.start for w in windows} == {utterances(parts)[0].start}


def test_a_click_opens_nothing() -> None:
    assert cut("." * 20 + "##" + "." * 30) == []


def test_loud_sound_that_is_not_speech_opens_nothing() -> None:
    assert cut("." * 20 + "n" * 50 + "." * 30) == []


def test_speech_that_does_not_rise_over_the_floor_opens_nothing() -> None:
    segmenter = Segmenter()
    for _ in range(30):  # the floor learns a steady loud noise
        for frame, _ in frames_of("n" * 40):
            segmenter.feed(frame, is_speech=False)
    assert all(not segmenter.feed(frame, is_speech=True) for frame, _ in frames_of("#" * 30))
    assert segmenter.flush() == [], "nothing had begun"


def test_speech_that_never_stops_is_cut_without_loss_or_overlap() -> None:
    parts = utterances(cut("." * 20 + "####." * 140))
    assert [part.cut for part in parts] == [Cut.TOO_LONG, Cut.TOO_LONG, Cut.END]
    assert len(parts[0].pcm) <= (8.0 + 0.4) * RATE
    ends = [part.start + len(part.pcm) for part in parts]
    assert [part.start for part in parts[1:]] == ends[:-1]


def test_a_gap_closes_the_utterance_and_no_preroll_reaches_across_it() -> None:
    parts = utterances(cut("." * 20 + "#" * 40, gaps=(40,)))
    assert [part.cut for part in parts] == [Cut.GAP, Cut.END]
    assert parts[0].end == 40 * FRAME
    assert parts[1].start == 40 * FRAME


def test_flush_closes_what_is_open_and_only_once() -> None:
    segmenter = Segmenter()
    for frame, is_speech in frames_of("." * 20 + "#" * 10):
        segmenter.feed(frame, is_speech=is_speech)
    assert [part.cut for part in segmenter.flush()] == [Cut.END]
    assert segmenter.flush() == []


@given(st.text(alphabet="#..n", max_size=200))
def test_utterances_never_overlap_and_keep_their_own_order(speech: str) -> None:
    parts = utterances(cut(speech))
    for part in parts:
        assert part.start <= part.onset < part.end <= part.start + len(part.pcm)
    for earlier, later in itertools.pairwise(parts):
        assert earlier.start + len(earlier.pcm) <= later.start


def test_an_utterance_keeps_its_onset_and_ends_by_the_clock_as_it_is_then() -> None:
    """Windows and utterance are the same one by ``heard_at``; the clock is set by a day in between."""
    segmenter, parts = Segmenter(), []
    for number, (frame, is_speech) in enumerate(frames_of("." * 20 + "#" * 60 + "." * 30)):
        set_by = 86_400.0 if number > 60 else 0.0
        moved = Frame(frame.pcm, start=frame.start, heard_at=frame.heard_at + set_by)
        parts += segmenter.feed(moved, is_speech=is_speech)
    window, utterance = parts[0], parts[-1]
    assert window.heard_at == utterance.heard_at
    assert window.ended_at - window.heard_at == pytest.approx((window.end - window.onset) / RATE)
    assert utterance.ended_at - utterance.heard_at == pytest.approx(
        86_400.0 + (utterance.end - utterance.onset) / RATE
    )


@given(st.lists(st.floats(-5.0, 5.0), min_size=120, max_size=120))
def test_speech_ends_when_its_last_frame_arrived_however_late_the_others_were(late: list[float]) -> None:
    segmenter, ends = Segmenter(), {}
    for (frame, is_speech), lateness in zip(frames_of("." * 20 + "#" * 70 + "." * 30), late, strict=True):
        heard_at = frame.heard_at + lateness
        ends[frame.end] = heard_at + FRAME / RATE
        for segment in segmenter.feed(
            Frame(frame.pcm, start=frame.start, heard_at=heard_at), is_speech=is_speech
        ):
            assert segment.ended_at == pytest.approx(ends[segment.end], abs=1e-5)
