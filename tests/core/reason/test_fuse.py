from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, case, cue
from support.decisions import decision

from vser_stream.core.reason.case import case_of
from vser_stream.core.reason.fuse import Explanation, amended, explained, fuse, resolve
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ReasonerError
from vser_stream.values import LABELS, Case, DecidedBy, Label, Probabilities, RationaleBy

WRITER = Writer(BOOK)
CASE = case(cue("pitch level", 5.1), cue("brightness", -0.2), cue("speech rate", 1.4))
TRUE = "Pitch level is far above the usual and speech rate is raised."
FALSE = "Pitch level is far below the usual and speech rate is raised."

opinions = st.tuples(*[st.floats(0.001, 1.0)] * 3).map(lambda p: Probabilities(*(one / sum(p) for one in p)))


class Answers:
    """A reasoner that gives its answers in turn."""

    def __init__(self, *answers: str | ReasonerError) -> None:
        self.left = list(answers)

    def explain(self, _case: Case, _label: Label) -> str:
        answer = self.left.pop(0)
        if isinstance(answer, ReasonerError):
            raise answer
        return answer


@given(opinions, opinions)
def test_two_opinions_count_alike_and_make_a_distribution(one: Probabilities, other: Probabilities) -> None:
    together, turned = fuse(one, other), fuse(other, one)
    assert sum(together.of(label) for label in LABELS) == pytest.approx(1.0)
    assert [together.of(label) for label in LABELS] == pytest.approx([turned.of(label) for label in LABELS])


def test_where_one_is_sure_and_the_other_says_the_opposite_neither_wins() -> None:
    assert fuse(Probabilities(0.0, 0.9, 0.1), Probabilities(0.0, 0.1, 0.9)) == Probabilities(0.0, 0.5, 0.5)


def test_a_verdict_that_excludes_all_the_svm_believes_is_not_heard() -> None:
    svm = Probabilities(0.0, 0.0, 1.0)
    assert fuse(svm, Probabilities(0.5, 0.5, 0.0)) == svm


def test_a_resolved_decision_is_that_of_both_with_its_own_rules_and_a_true_rationale() -> None:
    asked = replace(decision(angry=0.5, panic=0.4, calm=0.1), evidence=CASE.cues, escalated=True)
    of = case_of(asked, BOOK)
    together = fuse(asked.probabilities, Probabilities(0.1, 0.2, 0.7))
    resolved = resolve(asked, of, Probabilities(0.1, 0.2, 0.7), WRITER)
    assert resolved.segment is asked.segment
    assert (resolved.label, resolved.probabilities) == (Label.PANIC, together)
    assert (resolved.escalated, resolved.decided_by) == (True, DecidedBy.LLM)
    assert resolved.rules == ("high-dark-voice", "fast-high-dark")
    assert resolved.rationale == WRITER.write(of, Label.PANIC)
    assert resolved.rationale_by is RationaleBy.EVIDENCE


def test_a_true_answer_is_published_and_marked_as_the_reasoners() -> None:
    found = explained(Answers(TRUE).explain, CASE, Label.PANIC, WRITER)
    assert (found.text, found.by, len(found.attempts)) == (TRUE, RationaleBy.REASONER, 1)
    told = amended(decision(panic=0.9, calm=0.1), found)
    assert (told.rationale, told.rationale_by) == (TRUE, RationaleBy.REASONER)


def test_a_false_answer_is_asked_for_once_more() -> None:
    found = explained(Answers(FALSE, TRUE).explain, CASE, Label.PANIC, WRITER)
    assert (found.text, found.by) == (TRUE, RationaleBy.REASONER)
    assert [one.passed for one in found.attempts] == [False, True]


def test_after_two_false_answers_the_evidence_speaks_and_is_marked() -> None:
    answers = Answers(FALSE, FALSE, TRUE)
    found = explained(answers.explain, CASE, Label.PANIC, WRITER)
    assert (found.text, found.by) == (WRITER.write(CASE, Label.PANIC), RationaleBy.EVIDENCE)
    assert [one.passed for one in found.attempts] == [False, False]
    assert answers.left == [TRUE]


def test_without_an_answer_the_evidence_speaks_at_once() -> None:
    answers = Answers(ReasonerError("no answer in 2.5 s"), TRUE)
    assert explained(answers.explain, CASE, Label.PANIC, WRITER) == Explanation(
        text=WRITER.write(CASE, Label.PANIC), by=RationaleBy.EVIDENCE, attempts=(), error="no answer in 2.5 s"
    )
