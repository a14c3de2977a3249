import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.reason.fuse import fuse
from vser_stream.values import ANSWERS, LABELS, Block, Label, Message, Probabilities, Sound, Urgency

shares = st.floats(0.0, 1.0, allow_subnormal=True)
answers = st.lists(shares, min_size=5, max_size=5).filter(lambda one: sum(one) > 1e-300)
folded = answers.map(Probabilities.folded)


def is_a_belief(told: Probabilities) -> bool:
    """Sums to one, and no part is more than its whole."""
    whole = math.isclose(told.calm + told.angry + told.panic, 1.0, abs_tol=1e-9)
    return whole and 0.0 <= told.other <= told.calm and 0.0 <= told.wordless <= told.panic


def test_a_tie_goes_to_the_more_urgent_label() -> None:
    assert Probabilities(calm=0.4, angry=0.2, panic=0.4).top is Label.PANIC
    assert Probabilities(calm=0.4, angry=0.4, panic=0.2).top is Label.ANGRY


def test_five_answers_are_folded_into_three_labels() -> None:
    told = Probabilities.folded([0.1, 0.2, 0.3, 0.15, 0.25])
    assert [told.calm, told.angry, told.panic] == pytest.approx([0.25, 0.2, 0.55])
    assert told.answers == pytest.approx((0.1, 0.2, 0.3, 0.15, 0.25))
    assert told.top is Label.PANIC
    assert told.calm_voice == pytest.approx(0.1)
    assert told.parts == {"other": 0.15, "wordless": 0.25}
    assert list(told.by_label) == [str(label) for label in LABELS] == list(ANSWERS[:3])


def test_three_answers_have_no_parts_that_are_told() -> None:
    told = Probabilities.folded([0.2, 0.1, 0.1])
    assert (told.calm, told.calm_voice, told.parts) == (0.5, 0.5, None)


@pytest.mark.parametrize("several", [[], [0.5, 0.5], [0.25] * 4, [0.2] * 6])
def test_any_other_number_of_answers_is_none_of_ours(several: list[float]) -> None:
    with pytest.raises(ValueError, match="unpack"):
        Probabilities.folded(several)


def test_five_answers_are_not_taken_for_three_and_their_parts() -> None:
    five: Any = [0.1, 0.2, 0.3, 0.15, 0.25]
    with pytest.raises(TypeError):
        Probabilities(*five)


@given(answers)
def test_folding_makes_a_belief(several: list[float]) -> None:
    told = Probabilities.folded(several)
    assert is_a_belief(told)
    assert min(told.answers) >= 0.0
    assert sum(told.answers) == pytest.approx(1.0)


@given(st.lists(folded, min_size=1, max_size=4))
def test_the_mean_of_beliefs_is_a_belief(several: list[Probabilities]) -> None:
    assert is_a_belief(Probabilities.mean(several))


@given(folded, folded)
def test_two_beliefs_together_are_a_belief(one: Probabilities, other: Probabilities) -> None:
    assert is_a_belief(fuse(one, other))


@given(folded, folded)
def test_how_somebody_speaks_makes_no_speech_of_a_sound(one: Probabilities, reasoner: Probabilities) -> None:
    together = fuse(one, reasoner)
    assert (together.other, together.wordless) == pytest.approx((one.other, one.wordless))


def test_a_reasoner_weighs_speech_against_speech_only() -> None:
    lively = Probabilities(calm=0.55, angry=0.4, panic=0.05, other=0.5)
    told = fuse(lively, Probabilities(calm=1 / 3, angry=1 / 3, panic=1 / 3))
    assert told.calm_voice == pytest.approx(told.panic)
    assert told.angry == pytest.approx(0.5 * 8**0.5 / (2 + 8**0.5))


@given(folded)
def test_what_a_label_is_mostly_about_is_told(one: Probabilities) -> None:
    assert (one.mostly(Label.CALM) is Sound.HARMLESS) == (one.other > one.calm / 2)
    assert (one.mostly(Label.PANIC) is Sound.WORDLESS) == (one.wordless > one.panic / 2)
    assert one.mostly(Label.ANGRY) is Sound.VOICE


def test_the_samples_of_a_block_cannot_be_changed() -> None:
    block = Block(pcm=np.zeros(3, np.int16), start=5, heard_at=0.0)
    assert block.end == 8
    with pytest.raises(ValueError, match="read-only"):
        block.pcm[0] = 1


def test_the_ladder_of_urgency_is_the_one_in_databases_and_an_alarm_is_its_upper_half() -> None:
    assert [urgency.value for urgency in Urgency] == [0, 1, 2, 3]
    waiting = [Message("t", b"", 1, retain=False, id="m", priority=urgency) for urgency in range(5)]
    assert [message.is_alarm for message in waiting] == [False, False, True, True, True]
