from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.scoring.second_look import LONGEST, Fusion, Look, fused, heard
from vser_stream.values import ANSWERS, RATE, Label, Pcm, Probabilities, Rows, Segment, SegmentKind

EVEN = Probabilities.folded([0.2] * len(ANSWERS))
PLAIN = (0.0,) * len(ANSWERS)

beliefs = st.lists(st.floats(0.0, 1.0), min_size=len(ANSWERS), max_size=len(ANSWERS)).filter(
    lambda answers: sum(answers) > 0.01
)


def said(seconds: float, *, before: float = 0.3, after: float = 0.4) -> Segment:
    """Speech of ones between silence."""
    pieces = [np.zeros(round(before * RATE)), np.ones(round(seconds * RATE)), np.zeros(round(after * RATE))]
    onset = 7 + len(pieces[0])
    return Segment(
        SegmentKind.UTTERANCE,
        np.concatenate(pieces).astype(np.int16),
        start=7,
        onset=onset,
        end=onset + len(pieces[1]),
        heard_at=0.0,
        floor_db=-60.0,
    )


class Asked:
    answered = late = 0

    def look(self, pcm: Pcm, rows: Rows) -> Probabilities | None:
        raise AssertionError(f"asked for {len(pcm)} samples, {len(rows)} rows")


@pytest.mark.parametrize("seconds", [0.1, 1.0, LONGEST, 7.9])
def test_it_hears_the_speech_alone_and_of_long_speech_the_latest(seconds: float) -> None:
    pcm = heard(said(seconds))
    assert len(pcm) == round(min(seconds, LONGEST) * RATE)
    assert pcm.all(), "no silence before or after"


def test_of_long_speech_the_latest_is_heard() -> None:
    segment = replace(said(6.0), pcm=np.arange(len(said(6.0).pcm)).astype(np.int16))
    spoken = segment.pcm[segment.onset - segment.start : segment.end - segment.start]
    assert np.array_equal(heard(segment), spoken[-round(LONGEST * RATE) :])


@given(beliefs, beliefs)
def test_what_both_believe_is_a_belief(first: list[float], look: list[float]) -> None:
    found = fused(
        Probabilities.folded(first),
        Probabilities.folded(look),
        Fusion(0.8, 0.6, bias=(0.1, -0.2, 0.3, 0.0, -1.0)),
    )
    assert sum(found.answers) == pytest.approx(1.0)
    assert min(found.answers) > 0.0, "what one excludes the other may have heard"


@given(beliefs)
def test_who_is_not_trusted_changes_nothing(look: list[float]) -> None:
    first = Probabilities.folded([0.1, 0.2, 0.3, 0.25, 0.15])
    found = fused(first, Probabilities.folded(look), Fusion(first=1.0, look=0.0, bias=PLAIN))
    assert found.answers == pytest.approx(first.answers)


def test_they_agree_by_multiplying() -> None:
    first = Probabilities.folded([0.5, 0.1, 0.2, 0.1, 0.1])
    look = Probabilities.folded([0.1, 0.1, 0.4, 0.2, 0.2])
    product = np.multiply(first.answers, look.answers)
    assert fused(first, look, Fusion(1.0, 1.0, PLAIN)).answers == pytest.approx(product / product.sum())
    assert fused(first, look, Fusion(1.0, 1.0, PLAIN)).top is Label.PANIC
    towards_calm = Fusion(1.0, 1.0, bias=(5.0, 0.0, 0.0, 0.0, 0.0))
    assert fused(first, look, towards_calm).top is Label.CALM


def test_what_is_surely_calm_lively_or_not_needs_no_look() -> None:
    look = Look(Asked(), Fusion(1.0, 1.0, PLAIN), unless_calm=0.9)
    assert not look.needed(Probabilities.folded([0.5, 0.05, 0.0, 0.45, 0.0]))
    assert look.needed(Probabilities.folded([0.85, 0.05, 0.1, 0.0, 0.0]))
    assert look.needed(EVEN)


def test_one_judge_alone_is_raised_to_its_power_however_small_its_beliefs() -> None:
    tiny = Probabilities.folded([0.96, 0.01, 0.01, 0.01, 0.01])
    found = fused(tiny, EVEN, Fusion(first=2.0, look=0.0, bias=PLAIN))
    squares = [share * share for share in tiny.answers]
    assert found.answers == pytest.approx([one / sum(squares) for one in squares])
    shifted = fused(tiny, EVEN, Fusion(first=2.0, look=0.0, bias=(500.0,) * len(ANSWERS)))
    assert shifted.answers == pytest.approx(found.answers), "the same for all favours none"


@pytest.mark.parametrize(("calm", "needed"), [(0.89, True), (0.9, False), (0.91, False)])
def test_what_is_calm_enough_needs_no_second_look(calm: float, *, needed: bool) -> None:
    look = Look(Asked(), Fusion(1.0, 1.0, PLAIN), unless_calm=0.9)
    assert look.needed(Probabilities(calm, 1.0 - calm, 0.0)) is needed
