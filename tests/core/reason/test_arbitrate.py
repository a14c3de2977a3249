from dataclasses import replace

from support.cases import BOOK
from support.decisions import decision
from support.reasoning import Scripted

from vser_stream.core.reason.arbitrate import RECENT, History, weigh
from vser_stream.core.reason.fuse import fuse
from vser_stream.core.reason.writer import Writer
from vser_stream.values import DecidedBy, Label, Probabilities, RationaleBy

UNSURE = replace(decision(calm=0.2, angry=0.45, panic=0.35), escalated=True)


def test_the_reasoner_and_the_svm_decide_together() -> None:
    reasoner = Scripted(says=lambda _case, _label: "nothing that is true")
    settled = weigh(reasoner, UNSURE, History().case(UNSURE, BOOK), Writer(BOOK))
    assert settled.probabilities == fuse(UNSURE.probabilities, reasoner.verdict)
    assert (settled.label, settled.decided_by) == (Label.PANIC, DecidedBy.LLM)
    assert settled.rationale_by is RationaleBy.EVIDENCE  # what it said was not so


def test_without_an_answer_the_svm_has_decided_as_fallback() -> None:
    reasoner = Scripted()
    reasoner.broken.set()
    settled = weigh(reasoner, UNSURE, History().case(UNSURE, BOOK), Writer(BOOK))
    assert (settled.probabilities, settled.decided_by) == (UNSURE.probabilities, DecidedBy.FALLBACK)


def test_a_case_knows_what_was_heard_before_it() -> None:
    history = History()
    calm = decision(calm=1.0)
    told = [history.case(one, BOOK).recent for one in [calm, UNSURE, *[calm] * RECENT, UNSURE]]
    assert told[:3] == [(), (Label.CALM,), (Label.CALM, Label.ANGRY)]
    assert told[-1] == (Label.CALM,) * RECENT


def test_a_case_has_the_second_opinion_where_there_is_one() -> None:
    second = Probabilities(calm=0.1, angry=0.2, panic=0.7)
    assert History().case(replace(UNSURE, second=second), BOOK).second == second
