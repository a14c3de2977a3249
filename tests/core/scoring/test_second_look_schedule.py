from __future__ import annotations

import numpy as np
import pytest

from vser_stream.core.scoring.second_look import Fusion, Look
from vser_stream.core.scoring.second_look_schedule import Hearing
from vser_stream.values import RATE, Pcm, Probabilities, Rows, Segment, SegmentKind

CALM = Probabilities.folded([0.95, 0.01, 0.01, 0.02, 0.01])
UNSURE = Probabilities.folded([0.4, 0.2, 0.2, 0.1, 0.1])
ROWS = np.zeros((1, 3), np.float32)


class Ears:
    """Hears panic, the more of it the longer it listens; not at all while it is told to be late."""

    answered = late = 0

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.is_late = False

    def look(self, pcm: Pcm, rows: Rows) -> Probabilities | None:
        assert rows is ROWS
        self.heard.append(len(pcm) / RATE)
        return None if self.is_late else Probabilities.folded([1.0, 1.0, 1.0 + len(self.heard), 1.0, 1.0])


def speech(seconds: float, kind: SegmentKind = SegmentKind.WINDOW, *, start: int = 0) -> Segment:
    n = round(seconds * RATE)
    return Segment(kind, np.zeros(n, np.int16), start, onset=start, end=start + n, heard_at=0.0, floor_db=-60)


def hearing() -> tuple[Hearing, Ears]:
    ears = Ears()
    return Hearing(Look(ears, Fusion(1.0, 1.0, (0.0,) * 5), unless_calm=0.9)), ears


def test_an_utterance_is_heard_again_each_second_and_when_it_has_ended() -> None:
    one, ears = hearing()
    said = [one.again(speech(seconds), ROWS, UNSURE) for seconds in np.arange(1.0, 4.1, 0.5)]
    assert ears.heard == [1.0, 2.0, 3.0, 4.0]
    assert said == [said[0], said[0], said[2], said[2], said[4], said[4], said[6]]
    assert len({each.answers for each in said if each}) == 4
    one.again(speech(4.1, SegmentKind.UTTERANCE), ROWS, UNSURE)
    assert ears.heard[4:] == [4.0], "the latest 4 s"


def test_an_utterance_that_ended_with_its_last_window_is_known() -> None:
    one, ears = hearing()
    window = one.again(speech(2.0), ROWS, UNSURE)
    assert one.again(speech(2.0, SegmentKind.UTTERANCE), ROWS, UNSURE) == window
    assert len(ears.heard) == 1


def test_another_utterance_is_heard_at_once() -> None:
    one, ears = hearing()
    one.again(speech(1.0), ROWS, UNSURE)
    one.again(speech(1.0, start=1), ROWS, UNSURE)
    assert len(ears.heard) == 2


@pytest.mark.parametrize("kind", SegmentKind)
def test_what_is_surely_calm_is_not_heard_even_if_it_was_before(kind: SegmentKind) -> None:
    one, ears = hearing()
    one.again(speech(1.0), ROWS, UNSURE)
    assert one.again(speech(1.5, kind), ROWS, CALM) is None
    assert len(ears.heard) == 1


def test_what_came_too_late_is_tried_again_at_the_next_window() -> None:
    one, ears = hearing()
    ears.is_late = True
    assert one.again(speech(1.0), ROWS, UNSURE) is None
    ears.is_late = False
    assert one.again(speech(1.5), ROWS, UNSURE) is not None
    assert ears.heard == [1.0, 1.5]
