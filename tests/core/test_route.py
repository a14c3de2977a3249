from vser_stream.core.route import is_ambiguous
from vser_stream.values import Probabilities


def test_a_decision_is_ambiguous_below_the_threshold_only() -> None:
    probabilities = Probabilities(calm=0.3, angry=0.1, panic=0.6)
    assert is_ambiguous(probabilities, escalate_below=0.61)
    assert not is_ambiguous(probabilities, escalate_below=0.6)
