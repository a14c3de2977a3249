"""Whatever a reasoner answers, no utterance is lost, and nothing but figures and text is published."""

import logging
import math
import time
from dataclasses import replace

import pytest
from support.cases import BOOK, case, cue
from support.decisions import START, decision
from support.odd_answers import answering, odd_answer
from support.reasoning import Scripted

from vser_stream.adapters.models.http_json import ServerAddress
from vser_stream.adapters.models.openai_server import OpenAiServer
from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.writer import Writer
from vser_stream.core.wire.documents import utterance_of
from vser_stream.runtime.reasoning.escalation import Escalation, Standby
from vser_stream.values import Case, DecidedBy, Decision, Label, Probabilities

CASES = 500
CASE = case(
    cue("pitch level", 3.0), cue("brightness", 0.2), cue("intensity trend", -2.0), cue("speech rate", 1.5)
)


async def nobody(_: Decision) -> None:
    return None


async def settled(reasoner: Standby) -> Decision:
    """What becomes of one ambiguous utterance, in a fresh queue: three failures would close it."""
    heard = decision(calm=0.4, angry=0.2, panic=0.4, at=time.time() - START)
    escalation = Escalation(reasoner, Writer, ReasonerConfig(deadline=20.0))
    try:
        return await escalation.weigh(
            replace(heard, escalated=True), replace(CASE, probabilities=heard.probabilities), early=nobody
        )
    finally:
        escalation.close()


@pytest.mark.parametrize("tells_chances", [False, True])
async def test_every_utterance_comes_out_whatever_the_server_answers(
    *, tells_chances: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seeds = iter(range(CASES * 2))
    with answering(lambda: odd_answer(next(seeds, 0))) as url:
        decided = set()
        for _ in range(CASES // 2):
            reasoner = OpenAiServer(ServerAddress(url), lambda: Chat(BOOK))
            reasoner._tells_chances = tells_chances  # noqa: SLF001 - the probe would meet an odd server too
            came = await settled(reasoner)
            document = utterance_of(came, site="s", source="m").model_dump_json().encode()
            assert b"NaN" not in document
            assert all(map(math.isfinite, (came.confidence, *map(came.probabilities.of, Label))))
            assert came.rationale.isprintable()
            decided.add(came.decided_by)
    assert decided == {DecidedBy.LLM, DecidedBy.FALLBACK}
    assert [one for one in caplog.records if one.exc_info] == []


@pytest.mark.parametrize(
    "bug", [RuntimeError("x"), RecursionError(), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), KeyError()]
)
async def test_a_bug_that_answers_meet_is_an_outage_of_the_reasoner_alone(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(Scripted):
        def judge(self, case: Case, *, within: float) -> Probabilities:
            self.judged.append(case)
            raise bug if within else AssertionError

    def explain(_case: Case, _label: Label) -> str:
        raise bug

    with caplog.at_level(logging.ERROR):
        assert (await settled(Buggy(ready=True))).decided_by is DecidedBy.FALLBACK
        assert (await settled(Scripted(ready=True, says=explain))).decided_by is DecidedBy.LLM
    assert caplog.text.count("internal error: source=reasoner") == 2


async def test_a_bug_while_it_is_got_ready_stops_nobody() -> None:
    class Unready(Scripted):
        def prepare(self) -> None:
            raise ZeroDivisionError

    escalation = Escalation(Unready(), Writer)
    await escalation.prepare()
    escalation.close()


async def test_a_belief_that_is_no_number_is_none() -> None:
    nan = Probabilities(calm=math.nan, angry=0.5, panic=0.5)
    came = await settled(Scripted(ready=True, verdict=nan))
    assert all(map(math.isfinite, map(came.probabilities.of, Label)))
