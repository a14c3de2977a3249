from __future__ import annotations

import math
from dataclasses import dataclass

from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.prompt import RULE_GAIN, pull
from vser_stream.training.counterfactual import EDITS, Steered, steered, steering_table
from vser_stream.values import LABELS, Case, Label, Probabilities

CASES = invented_evidence(BOOK).running


@dataclass(frozen=True)
class Obeys:
    """Believes the SVM, moved by the rules ``gain`` times as far as their weights say."""

    gain: float

    def judge(self, case: Case, *, within: float) -> Probabilities:
        assert within > 0.0
        odds = [case.probabilities.of(one) * math.exp(self.gain * pull(case, one)) for one in LABELS]
        return Probabilities(*(one / sum(odds) for one in odds))

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        del case, label, within
        raise AssertionError("nobody asks for words here")


def under(gain: float) -> dict[str, Steered]:
    return {one.edit: one for one in steered(lambda _book: Obeys(gain), CASES, BOOK, most=60)}


def test_one_that_obeys_moves_wherever_it_should_and_nowhere_else() -> None:
    found = under(RULE_GAIN)
    assert list(found) == list(EDITS)
    for one in found.values():
        assert one.wrong == 0.0
        assert (one.label.did, one.label.did_not) == (1.0 if one.label.should else 0.0, 1.0)
    assert [found[edit].right for edit in EDITS[:3]] == [1.0, 1.0, 1.0]
    assert [found[edit].due for edit in EDITS[3:]] == [0, 0, 0]
    assert found["moved"].label.should > 0


def test_one_that_reads_no_rules_never_moves() -> None:
    found = under(0.0)
    assert [found[edit].right for edit in EDITS[:3]] == [0.0, 0.0, 0.0]
    assert found["moved"].label.did == 0.0


def test_one_that_does_the_contrary_is_always_wrong() -> None:
    found = under(-RULE_GAIN)["moved"]
    assert (found.right, found.wrong) == (0.0, found.due / found.cases)


def test_the_table_has_a_line_for_each_edit() -> None:
    found = list(under(RULE_GAIN).values())
    assert [line[:16].strip() for line in steering_table(found).splitlines()[1:]] == [
        edit[:16] for edit in EDITS
    ]
