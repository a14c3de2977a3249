from __future__ import annotations

import asyncio
from dataclasses import replace

from support.clock import SetClock
from support.decisions import decision
from support.patience import HANGS
from support.reasoning import Scripted

from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason.arbitrate import RECENT
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ReasonerError
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.reasoning.weighing import Weighing
from vser_stream.values import Case, DecidedBy, Decision, Label, Probabilities

UNSURE = replace(decision(calm=0.4, angry=0.35, panic=0.25), escalated=True)
CLEAR = decision(calm=0.9, angry=0.1)
SURE_OF_CALM = Probabilities(calm=0.95, angry=0.04, panic=0.01)


async def settled(*decisions: Decision, reasoner: Scripted) -> tuple[list[Decision], list[Decision]]:
    """What becomes of utterances, and what the alarm was told of them."""
    told = list[Decision]()

    async def amend(one: Decision) -> None:
        told.append(one)

    escalation = Escalation(reasoner, Writer, ReasonerConfig(backend="none"), clock=SetClock())
    running = asyncio.create_task(escalation.run())
    try:
        async with asyncio.timeout(HANGS):
            await escalation.prepare()
            weighing = Weighing(escalation)
            weighed = [weighing.begin(one) for one in decisions]
            outcomes = [await one(amend) for one in weighed if one is not None]
    finally:
        running.cancel()
        await asyncio.wait({running})
        escalation.close()
    return outcomes, told


async def test_without_a_reasoner_all_stays_as_the_classifier_has_it() -> None:
    assert Weighing(None).begin(UNSURE) is None


async def test_what_is_clear_is_settled_as_it_is() -> None:
    reasoner = Scripted()
    outcomes, told = await settled(CLEAR, reasoner=reasoner)
    assert (outcomes, told, reasoner.judged) == ([], [], [])


async def test_a_more_urgent_verdict_is_told_before_its_words_and_again_with_them() -> None:
    (outcome,), told = await settled(UNSURE, reasoner=Scripted())
    assert outcome.decided_by is DecidedBy.LLM
    assert [one.label for one in told] == [Label.PANIC, Label.PANIC]
    assert told[1] is outcome
    assert told[0] is not outcome


async def test_a_verdict_no_more_urgent_is_told_once() -> None:
    (outcome,), told = await settled(UNSURE, reasoner=Scripted(verdict=SURE_OF_CALM))
    assert outcome.label is Label.CALM
    assert [one is outcome for one in told] == [True]


async def test_what_the_reasoner_does_not_answer_tells_the_alarm_nothing() -> None:
    class Failing(Scripted):
        def judge(self, case: Case, *, within: float) -> Probabilities:
            del case, within
            raise ReasonerError("it does not answer")

    (outcome,), told = await settled(UNSURE, reasoner=Failing())
    assert (outcome.decided_by, outcome.label) == (DecidedBy.FALLBACK, UNSURE.label)
    assert told == []


async def test_a_case_knows_all_that_was_heard_before_it_clear_or_not() -> None:
    reasoner = Scripted()
    await settled(CLEAR, CLEAR, UNSURE, *[CLEAR] * RECENT, UNSURE, reasoner=reasoner)
    assert [case.recent for case in reasoner.judged] == [(Label.CALM,) * 2, (Label.CALM,) * RECENT]
