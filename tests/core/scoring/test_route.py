from dataclasses import replace

from vser_stream.core.scoring.route import is_ambiguous
from vser_stream.values import Probabilities


def test_a_decision_is_ambiguous_below_the_threshold_only() -> None:
    probabilities = Probabilities(calm=0.3, angry=0.1, panic=0.6)
    assert is_ambiguous(probabilities, escalate_below=0.61)
    assert not is_ambiguous(probabilities, escalate_below=0.6)


def test_as_much_speech_as_not_is_speech() -> None:
    half = Probabilities(calm=0.5, angry=0.25, panic=0.25, other=0.25, wordless=0.25)
    assert sum(half.spoken) == 0.5
    assert is_ambiguous(half, escalate_below=0.9)


def test_whether_it_is_speech_at_all_is_no_question_for_a_reasoner() -> None:
    scream_or_laugh = Probabilities(calm=0.45, angry=0.1, panic=0.45, other=0.4, wordless=0.4)
    assert not is_ambiguous(scream_or_laugh, escalate_below=0.9)
    assert is_ambiguous(replace(scream_or_laugh, other=0.1, wordless=0.1), escalate_below=0.9)
