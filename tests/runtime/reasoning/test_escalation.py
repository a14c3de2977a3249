"""The queue of ambiguous utterances, with a reasoner whose answers the test writes."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.cases import case, cue
from support.decisions import START, decision
from support.gguf_file import tiny_specialist
from support.patience import BUSY, HANGS
from support.reasoning import Scripted

from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason.breaker import FAILURES, BreakerState
from vser_stream.core.reason.dialogue import Specialist
from vser_stream.core.reason.verify import check
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ModelError
from vser_stream.runtime.reasoning.escalation import Counters, Escalation
from vser_stream.values import Case, DecidedBy, Decision, Label, Probabilities, RationaleBy

CASE = case(
    cue("pitch level", 3.0), cue("brightness", 0.2), cue("intensity trend", -2.0), cue("speech rate", 1.5)
)
SURE_OF_CALM = Probabilities(calm=0.95, angry=0.04, panic=0.01)


def just_heard(*, panic: float = 0.4, late: float = 0.0) -> tuple[Decision, Case]:
    """An ambiguous utterance that ended ``late`` seconds ago, and its case."""
    heard = decision(calm=0.6 - panic / 2, angry=0.4 - panic / 2, panic=panic, at=time.time() - START - late)
    return replace(heard, escalated=True), replace(CASE, probabilities=heard.probabilities)


async def nobody(_: Decision) -> None:
    return None


def ask(
    escalation: Escalation,
    heard: tuple[Decision, Case],
    early: Callable[[Decision], Awaitable[object]] = nobody,
) -> asyncio.Task[Decision]:
    return asyncio.create_task(escalation.weigh(*heard, early=early))


@contextlib.asynccontextmanager
async def running(escalation: Escalation) -> AsyncIterator[Escalation]:
    task = asyncio.create_task(escalation.run())
    try:
        await escalation.prepare()
        yield escalation
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        escalation.close()


async def until(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    async with asyncio.timeout(within * BUSY):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


async def test_the_svm_and_the_reasoner_decide_together() -> None:
    async with running(Escalation(Scripted(), Writer)) as escalation:
        settled = await ask(escalation, just_heard())
        assert settled.label is Label.PANIC
        assert settled.decided_by is DecidedBy.LLM
        assert settled.rationale_by is RationaleBy.REASONER
        assert check(settled.rationale, CASE, Label.PANIC, book=Writer().book).passed
        counters = replace(escalation.counters(), label_seconds=0.0, rationale_seconds=0.0)
        assert counters == Counters(asked=1, answered=1, rationales=1)


async def test_a_more_urgent_verdict_does_not_wait_for_its_rationale() -> None:
    reasoner = Scripted()
    told: list[Decision] = []

    async def early(one: Decision) -> None:
        assert reasoner.explained == []
        told.append(one)

    async with running(Escalation(reasoner, Writer)) as escalation:
        settled = await ask(escalation, just_heard(panic=0.3), early)
    assert [(one.label, one.rationale_by) for one in told] == [(Label.PANIC, RationaleBy.EVIDENCE)]
    assert settled.probabilities == told[0].probabilities


async def test_a_verdict_that_is_not_more_urgent_is_told_once() -> None:
    async def early(_: Decision) -> None:
        pytest.fail("told early")

    async with running(Escalation(Scripted(verdict=SURE_OF_CALM), Writer)) as escalation:
        assert (await ask(escalation, just_heard(), early)).label is Label.CALM


async def test_after_its_deadline_the_svm_has_decided() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=0.3))) as escalation:
        heard = just_heard()
        began = time.monotonic()
        settled = await ask(escalation, heard)
        assert time.monotonic() - began < 1.0 * BUSY
        assert settled.decided_by is DecidedBy.FALLBACK
        assert settled.probabilities == heard[0].probabilities
        assert escalation.counters().late == 1
        reasoner.held.set()
        await until(lambda: not escalation._busy)  # noqa: SLF001 - the thread is free again
        assert (await ask(escalation, just_heard())).decided_by is DecidedBy.LLM


async def test_the_deadline_counts_from_the_end_of_speech() -> None:
    reasoner = Scripted()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=2.5))) as escalation:
        settled = await ask(escalation, just_heard(late=3.0))
        assert settled.decided_by is DecidedBy.FALLBACK
        assert escalation.counters().late == 1


async def test_a_clock_that_was_set_back_makes_nobody_wait_longer() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=0.3))) as escalation:
        async with asyncio.timeout(HANGS):
            settled = await ask(escalation, just_heard(late=-3600.0))
        assert settled.decided_by is DecidedBy.FALLBACK
        reasoner.held.set()


async def test_an_end_between_verdict_and_rationale_loses_neither() -> None:
    async with running(Escalation(Scripted(), Writer)) as escalation:

        async def end(_: Decision) -> None:
            escalation.close()

        settled = await ask(escalation, just_heard(panic=0.3), end)
    assert (settled.label, settled.decided_by) == (Label.PANIC, DecidedBy.LLM)
    assert settled.rationale_by is RationaleBy.EVIDENCE


async def test_a_verdict_without_time_for_a_rationale_keeps_that_of_the_evidence() -> None:
    reasoner = Scripted(verdict=SURE_OF_CALM)

    def slow(_case: Case, _label: Label) -> str:
        reasoner.held.clear()
        reasoner.held.wait(1.0)
        return "too late"

    reasoner.says = slow
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=0.4))) as escalation:
        settled = await ask(escalation, just_heard())
        assert (settled.decided_by, settled.rationale_by) == (DecidedBy.LLM, RationaleBy.EVIDENCE)
        assert settled.rationale == Writer().write(CASE, settled.label)
        assert escalation.counters().written == 1


async def test_an_untrue_rationale_is_asked_for_once_more_and_then_replaced() -> None:
    reasoner = Scripted(says=lambda _case, _label: "Pitch level 999 Hz is far below this voice's usual.")
    async with running(Escalation(reasoner, Writer)) as escalation:
        settled = await ask(escalation, just_heard())
        assert len(reasoner.explained) == 2
        assert (settled.decided_by, settled.rationale_by) == (DecidedBy.LLM, RationaleBy.EVIDENCE)
        counters = escalation.counters()
        assert (counters.retries, counters.written, counters.rationales) == (1, 1, 0)


async def test_the_most_urgent_goes_first_and_the_least_urgent_is_dropped() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=10.0, queue=2))) as escalation:
        first = ask(escalation, just_heard(panic=0.3))
        await until(lambda: len(reasoner.judged) == 1)
        others = {panic: ask(escalation, just_heard(panic=panic)) for panic in (0.1, 0.4, 0.2)}
        await until(lambda: escalation.counters().dropped == 1)
        assert (await others[0.1]).decided_by is DecidedBy.FALLBACK
        assert escalation.counters().waiting == 2
        reasoner.held.set()
        settled = await asyncio.gather(first, others[0.4], others[0.2])
        assert [one.decided_by for one in settled] == [DecidedBy.LLM] * 3
        assert [one.probabilities.panic for one in reasoner.judged] == [0.3, 0.4, 0.2]


async def test_a_second_opinion_of_panic_is_urgent_too() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=10.0))) as escalation:
        tasks = [ask(escalation, just_heard(panic=0.35))]
        await until(lambda: len(reasoner.judged) == 1)
        heard, told = just_heard(panic=0.1)
        warned = replace(told, second=Probabilities(calm=0.1, angry=0.2, panic=0.7))
        tasks += [ask(escalation, just_heard(panic=0.3)), ask(escalation, (heard, warned))]
        await until(lambda: escalation.counters().waiting == 2)
        reasoner.held.set()
        await asyncio.gather(*tasks)
        assert [one.probabilities.panic for one in reasoner.judged] == [0.35, 0.1, 0.3]


async def test_an_hour_has_only_so_many_calls() -> None:
    async with running(Escalation(Scripted(), Writer, ReasonerConfig(calls_per_hour=2))) as escalation:
        settled = [await ask(escalation, just_heard()) for _ in range(4)]
        assert [one.decided_by for one in settled] == [DecidedBy.LLM] * 2 + [DecidedBy.FALLBACK] * 2
        assert escalation.counters().over_budget == 2


async def test_trouble_opens_the_circuit_and_a_probe_closes_it() -> None:
    reasoner = Scripted()
    async with running(Escalation(reasoner, Writer)) as escalation:
        reasoner.broken.set()
        assert (await ask(escalation, just_heard())).decided_by is DecidedBy.FALLBACK
        assert escalation.counters().state is BreakerState.OPEN
        asked = len(reasoner.judged)
        assert (await ask(escalation, just_heard())).decided_by is DecidedBy.FALLBACK
        assert len(reasoner.judged) == asked  # not asked while it is away
        reasoner.broken.clear()
        await until(lambda: escalation.counters().state is BreakerState.HALF_OPEN)
        assert (await ask(escalation, just_heard())).decided_by is DecidedBy.LLM
        counters = escalation.counters()
        assert (counters.state, counters.failed, counters.unavailable) == (BreakerState.CLOSED, 1, 1)


async def test_a_reasoner_that_stays_away_is_tried_again_and_again() -> None:
    reasoner = Scripted()
    reasoner.broken.set()
    async with running(Escalation(reasoner, Writer)) as escalation:
        await until(lambda: reasoner.prepared >= 3)
        assert escalation.counters().restarts >= 2


async def test_answers_that_keep_coming_late_open_the_circuit() -> None:
    reasoner = Scripted()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=0.1))) as escalation:
        for _ in range(FAILURES):
            reasoner.held.clear()
            await ask(escalation, just_heard())
            reasoner.held.set()
            await until(lambda: not escalation._busy)  # noqa: SLF001 - the thread is free again
        assert escalation.counters().late == FAILURES
        assert escalation.counters().state is not BreakerState.CLOSED


async def test_whoever_stops_waiting_takes_nobody_elses_turn() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=10.0))) as escalation:
        tasks = [ask(escalation, just_heard())]
        await until(lambda: len(reasoner.judged) == 1)
        tasks += [ask(escalation, just_heard()) for _ in range(2)]
        await until(lambda: escalation.counters().waiting == 2)
        tasks[0].cancel()
        tasks[1].cancel()
        reasoner.held.set()
        assert (await tasks[2]).decided_by is DecidedBy.LLM


async def test_closing_does_not_wait_for_an_answer() -> None:
    reasoner = Scripted()
    reasoner.held.clear()
    async with running(Escalation(reasoner, Writer, ReasonerConfig(deadline=30.0))) as escalation:
        task = ask(escalation, just_heard())
        await until(lambda: len(reasoner.judged) == 1)
        began = time.monotonic()
        escalation.close()
        assert time.monotonic() - began < 0.5 * BUSY
        assert (await task).decided_by is DecidedBy.FALLBACK


async def test_a_model_that_can_never_work_is_an_error_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    escalation = Escalation(LlamaReasoner(Weights(path), Specialist), Writer)
    with pytest.raises(ModelError, match="damaged"):
        await escalation.prepare()
    escalation.close()


async def test_a_child_killed_again_and_again_under_load_loses_no_utterance(tmp_path: Path) -> None:
    """With kill -9 in mid-answer: each utterance is decided in time, and the child comes back."""
    reasoner = LlamaReasoner(Weights(tiny_specialist(tmp_path / "x.gguf")), Specialist)
    async with running(Escalation(reasoner, Writer, ReasonerConfig(queue=4))) as escalation:
        settled: list[Decision] = []
        slowest = 0.0

        async def one(panic: float) -> None:
            nonlocal slowest
            began = time.monotonic()
            settled.append(await escalation.weigh(*just_heard(panic=panic), early=nobody))
            slowest = max(slowest, time.monotonic() - began)

        tasks = []
        for number in range(150):
            tasks.append(asyncio.create_task(one(0.1 + 0.002 * number)))
            await asyncio.sleep(0.03)
            if number % 30 == 5 and (pid := reasoner.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*tasks)
        await until(lambda: escalation.counters().state is not BreakerState.OPEN, within=60.0)
        last = await escalation.weigh(*just_heard(), early=nobody)
    counters = escalation.counters()
    assert len(settled) == 150
    assert slowest < 3.0
    assert last.decided_by is DecidedBy.LLM
    assert counters.restarts >= 1
    left = counters.failed + counters.late + counters.dropped + counters.unavailable + counters.over_budget
    assert counters.asked == 151 == counters.answered + left
