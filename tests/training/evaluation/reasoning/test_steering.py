from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.prompt import RULE_GAIN, pull
from vser_stream.training.evaluation.metrics import Interval
from vser_stream.training.evaluation.reasoning.steering import EDITS, Steered, steered, steering_table
from vser_stream.values import LABELS, Case, Label, Probabilities

EVIDENCE = invented_evidence(BOOK)


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


@cache
def under(gain: float, *, cases: int = 120) -> dict[str, Steered]:
    told, speakers = EVIDENCE.running[:cases], EVIDENCE.speakers[:cases]
    found = steered(lambda _book: Obeys(gain), told, BOOK, speakers=speakers, most=60)
    return {one.edit: one for one in found}


def value(share: Interval | None) -> float | None:
    return share.value if share else None


def test_one_that_obeys_moves_wherever_it_should_and_nowhere_else() -> None:
    found = under(RULE_GAIN)
    assert list(found) == list(EDITS)
    for one in found.values():
        assert one.wrong.value == 0.0
        assert (value(one.label.did), value(one.label.did_not)) == (1.0 if one.label.should else None, 1.0)
    assert [value(found[edit].right) for edit in EDITS[:3]] == [1.0, 1.0, 1.0]
    assert [found[edit].due for edit in EDITS[3:]] == [0, 0, 0]
    assert found["moved"].label.should > 0


def test_one_that_reads_no_rules_never_moves() -> None:
    found = under(0.0)
    assert [value(found[edit].right) for edit in EDITS[:3]] == [0.0, 0.0, 0.0]
    assert value(found["moved"].label.did) == 0.0


def test_a_near_tie_counts_neither_way() -> None:
    @dataclass(frozen=True)
    class Torn(Obeys):
        def judge(self, case: Case, *, within: float) -> Probabilities:
            del case, within
            return Probabilities(0.2, 0.42, 0.38)

    some, speakers = EVIDENCE.running[:5], EVIDENCE.speakers[:5]
    *_, reworded = steered(lambda _book: Torn(0.0), some, BOOK, speakers=speakers)
    assert (reworded.cases, reworded.label.should, reworded.label.should_not) == (5, 0, 0)


def test_every_rule_that_fired_is_moved_and_removed() -> None:
    some = EVIDENCE.running[:5]
    fired = sum(rule.label is not Label.CALM for case in some for rule in BOOK.fired(case.cues))
    found = under(RULE_GAIN, cases=5)
    assert [found["moved"].cases, found["removed"].cases] == [fired, fired]


def test_one_that_does_the_contrary_is_always_wrong() -> None:
    found = under(-RULE_GAIN)["moved"]
    assert (value(found.right), found.wrong.value) == (0.0, found.due / found.cases)


def test_the_table_has_a_line_for_each_edit() -> None:
    found = list(under(RULE_GAIN).values())
    assert [line[:16].strip() for line in steering_table(found).splitlines()[1:]] == [
        edit[:16] for edit in EDITS
    ]
