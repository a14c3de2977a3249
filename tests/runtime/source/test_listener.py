"""What a listener says of its source: health, conditions, and bugs that stay where they are."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from support.audio import voice
from support.clock import SetClock
from support.decisions import START, decision
from support.listened import EVERY, Calm, Played, listener_of, pipeline_of, reporter, shared_by, taught
from support.patience import HANGS

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import AlarmConfig
from vser_stream.core import pipeline as pipeline_module
from vser_stream.core.alarm.cusum import Vote, silent
from vser_stream.core.alarm.room_adaptation import Room, lived, noted, settled
from vser_stream.core.alarm.state import Alarm, AlarmEvent, AlarmState
from vser_stream.core.alarm.state_machine import live
from vser_stream.core.alarm.threshold_curve import Curve, Curves
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.pipeline import Outcome, Pipeline
from vser_stream.core.wire.documents import HEALTH_LASTS
from vser_stream.core.wire.numbering import Reporter, Story
from vser_stream.core.wire.source_snapshot import Remembered, recall
from vser_stream.errors import CommandError
from vser_stream.ports import Clock, Scorer
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.source.recollection import ASK_EVERY, ROOM_SAVED_EVERY, SAVE_EVERY
from vser_stream.values import RATE, Cut, Label, Memory, Message, Pcm, Probabilities, Record, Rows


class Broken:
    def score(self, rows: Rows) -> Probabilities:
        raise ZeroDivisionError(len(rows))


class Told:
    """What a listener tells and keeps."""

    listener: Listener
    pipeline: Pipeline
    reporter: Reporter
    scorer: ThreadPoolExecutor

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        """Of its health."""

        self.states: list[dict[str, Any]] = []
        self.together: list[tuple[dict[str, Any], dict[str, Any]]] = []
        """Each alert with the state that was committed with it."""

        self.kept: list[Remembered | None] = []
        """With each commit."""

        self.order: list[str] = []
        """What each commit with a memory was of."""

        self.slow = asyncio.Event()
        """Cleared while alerts are kept waiting."""

        self.slow.set()
        self.waiting = False
        self._news = asyncio.Event()

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        del records
        if messages and messages[0].topic.endswith("/alert"):
            self.waiting = True
            await self.slow.wait()
        self.order += [messages[0].topic.rpartition("/")[2]] if memory and messages else []
        self.kept.append(recall(memory.document, features="f") if memory else None)
        told = [json.loads(one.payload) for one in messages if one.topic.endswith(("/alert", "/state"))]
        self.together += [(alert, told[-1]) for alert in told[:-1]]
        for message in messages:
            if message.topic.endswith("/health"):
                self.documents.append(json.loads(message.payload))
                self._news.set()
            elif message.topic.endswith("/state"):
                self.states.append(json.loads(message.payload))

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(HANGS):
            while True:
                for document in self.documents:
                    if condition(document):
                        return document
                self._news.clear()
                await self._news.wait()


async def nothing_kept() -> Remembered:
    return Remembered()


@asynccontextmanager
async def listening(
    pcm: Pcm,
    scorer: Scorer,
    *,
    recalling: Callable[[], Awaitable[Remembered | None]] = nothing_kept,
    clock: Clock = SYSTEM_CLOCK,
    curves: Curves | None = None,
) -> AsyncIterator[Told]:
    told = Told()
    with ThreadPoolExecutor(1) as executor:
        told.scorer = executor
        told.pipeline, told.reporter = pipeline_of(scorer, curves=curves), reporter()
        told.listener = listener = listener_of(
            told.pipeline,
            Played(pcm),
            shared_by(told, scorer=executor, recall=recalling, clock=clock),
            reporting=told.reporter,
        )
        tasks = [asyncio.create_task(listener.run()), asyncio.create_task(listener.watch())]
        try:
            yield told
        finally:
            listener.stop()
            await tasks[0]
            tasks[1].cancel()


def names(document: dict[str, Any]) -> list[str]:
    return [condition["name"] for condition in document["conditions"]]


async def test_a_muted_source_is_a_condition_in_its_health_and_over_when_it_speaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    pcm = np.concatenate([np.zeros(12 * RATE, np.int16), voice(12.0)])
    async with listening(pcm, Calm()) as told:
        muted = await told.until(lambda one: names(one) == ["digital_silence"])
        assert muted["conditions"][0]["priority"] == "medium"
        assert muted["capture"] == "running"
        over = await told.until(lambda one: one["conditions_raised"] == 1 and not names(one))
        assert over["clipped"] == 0.0
    told_of = [(r.levelname, r.getMessage()) for r in caplog.records if "silence" in r.getMessage()]
    assert told_of[0][0] == "WARNING"
    assert told_of[0][1].startswith("digital_silence: source=bed: nothing but zeros")
    assert told_of[1] == ("INFO", "digital_silence resolved: source=bed")


async def test_a_bug_in_judging_is_an_outage_and_the_source_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pcm = np.concatenate([np.zeros(RATE, np.int16), voice(3.0), np.zeros(RATE, np.int16)])
    async with listening(pcm, Broken()) as told:
        again = await told.until(lambda one: one["restarts"] >= 2)
        reasons = {change["reason"] for change in again["transitions"] if change["to"] == "backoff"}
    assert reasons == {"internal error (ZeroDivisionError); please report the traceback in the log"}
    assert "ZeroDivisionError" in caplog.text


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANGS):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_who_listens_in_hears_every_block_until_the_source_is_stopped() -> None:
    async with listening(np.zeros(RATE, np.int16), Calm()) as told:
        heard = []
        async with aclosing(told.listener.listen_in()) as blocks:
            async for block in blocks:
                heard.append(block.start)
                if block.end == RATE:
                    told.listener.stop()
    assert heard == list(range(heard[0], RATE, RATE // 10))


async def test_what_is_taught_is_kept_at_once_with_the_alarm_and_can_be_forgotten() -> None:
    async with listening(np.zeros(0, np.int16), Calm()) as told:
        await told.listener.learn(taught(3))
        learned = told.kept[-1]
        assert learned is not None
        assert learned.baseline is not None
        assert learned.baseline.to_lists() == taught(3).to_lists()
        assert told.listener.health().baseline_utterances == 3
        await told.listener.learn(None)
        forgotten = told.kept[-1]
        assert forgotten is not None
        assert forgotten.baseline is None
        assert told.listener.health().baseline_utterances == 0


async def test_what_it_learns_is_kept_now_and_then_and_at_the_end() -> None:
    clock = SetClock()
    speech = [np.zeros(RATE // 2, np.int16), voice(2.0), np.zeros(60 * RATE, np.int16)]
    async with listening(np.concatenate(speech), Calm(), clock=clock) as told:
        await until(lambda: told.listener.health().baseline_utterances)
        assert not any(told.kept)
        clock.forward(SAVE_EVERY)
        await until(lambda: any(told.kept))
        assert sum(kept is not None for kept in told.kept) == 1
    last = told.kept[-1]
    assert last is not None
    assert last.baseline is not None


PANIC = Alarm(
    Label.PANIC, present=True, decision=silent(decision(panic=1.0)), supported_at=START, signalled_at=START
)
EARLIER = Remembered(AlarmState(alarm=PANIC, at=START), Story(seq=7, alert_id="a7", since=START), taught(4))


async def test_what_a_disk_tells_late_is_not_replaced_before_and_gone_on_with_then() -> None:
    answers: list[Remembered | None] = [None, EARLIER]
    clock = SetClock()

    async def recalling() -> Remembered | None:
        return answers.pop(0)

    async with listening(np.zeros(20 * RATE, np.int16), Calm(), recalling=recalling, clock=clock) as told:
        await told.until(lambda one: one["capture"] == "running")
        assert told.states[-1]["condition"] == "calm"
        with pytest.raises(CommandError, match="the disk does not answer"):
            await told.listener.learn(None)
        await told.listener.pause(for_s=60, by="Ana")
        await told.listener.resume()
        assert not any(told.kept)
        clock.forward(ASK_EVERY)
        await until(lambda: told.states[-1]["alert_id"] == "a7")
    assert (told.states[-1]["condition"], told.states[-1]["seq"]) == ("panic", 7)
    last = told.kept[-1]
    assert last is not None
    assert last.baseline is not None
    assert (last.story.seq, last.baseline.count) == (7, 4.0)


CURVES: Curves = {Label.PANIC: Curve(per_day=(9.0, 2.0, 0.5), distress=(2.0, 4.0, 6.0))}


async def test_an_alarm_somebody_calls_right_is_not_what_the_room_is_like_and_any_other_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "_MINUTE", 0.5)
    pcm = np.concatenate([np.zeros(RATE, np.int16), voice(1.5), np.zeros(RATE, np.int16)])
    for right in (True, False):
        async with listening(pcm, Swelling(), clock=SetClock(), curves=CURVES) as told:
            await told.until(lambda one: one["utterances"] == 1)
            (alert,) = [alert for alert, _ in told.together if alert["event"] == "raised"]
            room = told.pipeline.room
            assert [stretch.alarms for stretch in (room.now, *room.waiting) if stretch] == [
                (alert["alert_id"],)
            ]
            # The stretch ends with the alarm.
            told.pipeline.alarm = replace(told.pipeline.alarm, alarm=None)
            for _ in range(2):
                told.pipeline.alarm = live(told.pipeline.alarm, 60.0)
            await told.listener.confirm(alert["alert_id"], right=right)
            kept = told.kept[-1]
        assert kept is not None
        assert kept.alarm.room.waiting == ()
        assert sum(kept.alarm.room.counts.get(Label.PANIC, ())) == (0.0 if right else 1.0)


async def test_what_a_room_has_shown_outlives_a_restart_is_told_and_can_be_forgotten() -> None:
    quiet = lived(noted(settled(Room(), AlarmConfig(), CURVES), {}), 1.0, present=False)
    earlier = Remembered(AlarmState(room=lived(noted(quiet, {}), 1.0, present=False)))

    async def recalling() -> Remembered:
        return earlier

    async with listening(np.zeros(RATE, np.int16), Calm(), recalling=recalling, curves=CURVES) as told:
        health = await told.until(lambda one: one["capture"] == "running")
        panic = health["thresholds"][0]
        assert (panic["level"], panic["usual"]) == ("panic", 4.0)
        assert panic["distress"] < 4.0
        assert (
            panic["reason"]
            == "2 false alarms a day allowed; the background of this room reaches 0.0 about once a day"
        )
        await told.listener.learn(None)
        kept = told.kept[-1]
        assert kept is not None
        assert kept.alarm.room.heard == 0.0
        await told.until(lambda one: one["thresholds"][0]["distress"] == 4.0)


async def test_what_is_learned_of_a_room_is_kept_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "_MINUTE", 0.5)
    clock = SetClock()
    async with listening(np.zeros(40 * RATE, np.int16), Calm(), clock=clock, curves=CURVES) as told:
        await until(lambda: told.pipeline.room.heard > 0.0)
        assert [kept for kept in told.kept if kept] == []
        # On the scoring thread: what that makes of a minute meanwhile would replace it.
        known = replace(told.pipeline.room, heard=2 * ROOM_SAVED_EVERY)
        on_scorer = asyncio.get_running_loop().run_in_executor
        await on_scorer(told.scorer, setattr, told.pipeline, "room", known)
        clock.forward(SAVE_EVERY)
        await until(lambda: any(told.kept))
    assert any(kept.alarm.room.heard >= 2 * ROOM_SAVED_EVERY for kept in told.kept if kept)


async def test_it_ends_when_all_that_happened_to_its_alarm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(np.zeros(0, np.int16), Calm(), clock=SetClock()) as told:
        free, looking, flush = threading.Event(), threading.Event(), told.pipeline.flush

        looks: list[CaptureState] = []

        def last_look(cut: Cut) -> list[Outcome]:
            looks.append(told.listener.capture.state)
            if looks[-2:] == [CaptureState.IDLE] * 2:  # after the stop, and after the last block
                looking.set()
                free.wait()
            return flush(cut)

        monkeypatch.setattr(told.pipeline, "flush", last_look)
        await until(lambda: told.listener.begun)
        told.listener.stop()
        await until(looking.is_set)
        told.pipeline.alarm = AlarmState(alarm=PANIC, at=START)
        told.reporter.story = EARLIER.story
        told.slow.clear()
        ack = asyncio.create_task(told.listener.acknowledge(by="Ana", alert_id="a7"))
        free.set()
        await until(lambda: told.waiting)
        await asyncio.sleep(0.2)  # time to end too early
        told.slow.set()
        await ack
    assert told.order[-2:] == ["alert", "health"]
    last = told.kept[-1]
    assert last is not None
    assert last.alarm.alarm is not None
    assert last.alarm.alarm.acknowledged is not None


async def test_an_acknowledgement_on_its_way_does_not_silence_what_the_alarm_becomes_meanwhile() -> None:
    anger = decision(angry=0.9, calm=0.1)
    angry = Alarm(
        Label.ANGRY,
        present=True,
        decision=silent(anger),
        supported_at=START,
        signalled_at=START,
        raised_in=anger.segment.heard_at,
    )
    async with listening(np.zeros(0, np.int16), Calm(), clock=SetClock()) as told:
        await until(lambda: told.listener.begun)
        told.pipeline.alarm = AlarmState(alarm=angry, votes=(Vote(START, anger),))
        told.reporter.story = Story(seq=1, alert_id="a1", since=START, signalled=1)
        free = threading.Event()
        told.scorer.submit(free.wait)
        second = replace(anger, label=Label.PANIC, probabilities=Probabilities(0.0, 0.03, 0.97))
        worse = asyncio.create_task(told.listener.amend(second))
        ack = asyncio.create_task(told.listener.acknowledge(by="Ana", alert_id="a1", seq=1))
        await asyncio.sleep(0)  # both are on their way, in this order
        assert told.listener.state().condition is Label.ANGRY
        free.set()
        assert [one.event for one in await worse] == [AlarmEvent.ESCALATED]
        with pytest.raises(CommandError, match=r"a1 has escalated since: it is panic now, seq 2"):
            await ack
        assert (told.states[-1]["condition"], told.states[-1]["signal"]) == ("panic", "on")
        await told.listener.acknowledge(by="Ana", alert_id="a1", seq=told.states[-1]["seq"])
    assert told.states[-1]["signal"] == "acknowledged"


class Swelling:
    """Panic that is surer at each look."""

    def __init__(self) -> None:
        self._looks = 0

    def score(self, rows: Rows) -> Probabilities:
        assert len(rows)
        self._looks += 1
        panic = min(0.99, 0.9 + 0.01 * self._looks)
        return Probabilities(calm=(1 - panic) / 2, angry=(1 - panic) / 2, panic=panic)


async def test_the_state_that_goes_with_an_alert_says_what_the_alert_says() -> None:
    pcm = np.concatenate([np.zeros(RATE, np.int16), voice(3.0), np.zeros(2 * RATE, np.int16)])
    async with listening(pcm, Swelling()) as told:
        await told.until(lambda one: one["utterances"] == 1)
    told_of = ("label", "confidence", "rationale")
    pairs = [(alert, state) for alert, state in told.together if alert["event"] in {"raised", "amended"}]
    assert [alert["event"] for alert, _ in pairs] == ["raised", "amended"]
    assert pairs[0][0]["confidence"] < pairs[1][0]["confidence"]
    for alert, state in pairs:
        assert [state[name] for name in told_of] == [alert[name] for name in told_of]
        assert alert["latency_ms"] >= 0.0


async def test_the_state_is_renewed_when_a_voice_is_noticeably_less_sure() -> None:
    async with listening(np.zeros(0, np.int16), Calm()) as told:
        await told.until(lambda one: one["utterances"] == 0)
        for at, calm in enumerate((0.9, 0.87, 0.84, 0.79)):
            judged = decision(calm=calm, angry=1 - calm, at=at)
            await told.listener._utterance(judged)  # noqa: SLF001 - what a decision does
    assert [state["confidence"] for state in told.states if state["label"]] == [0.9, 0.79]


async def test_health_says_how_long_it_says_something_and_whether_an_alarm_is_open() -> None:
    pcm = np.concatenate([np.zeros(RATE, np.int16), voice(3.0), np.zeros(2 * RATE, np.int16)])
    async with listening(pcm, Swelling()) as told:
        loud = await told.until(lambda one: one["signal"] == "on")
    assert told.documents[0]["signal"] == "off"
    lasts = datetime.fromisoformat(loud["expires_at"]) - datetime.fromisoformat(loud["updated_at"])
    assert lasts == timedelta(seconds=HEALTH_LASTS * EVERY)


@pytest.mark.parametrize("turns", range(6))
async def test_its_watch_ends_when_it_is_told_to_however_much_happens_just_then(turns: int) -> None:
    async with listening(np.zeros(0, np.int16), Calm()) as told:
        await told.until(lambda one: one["capture"] == "opening")
        watching = asyncio.create_task(told.listener.watch())
        await asyncio.sleep(EVERY / 2)  # it waits for something to happen
        told.listener.stop()
        for _ in range(turns):
            await asyncio.sleep(0)
        watching.cancel()
        done, _ = await asyncio.wait({watching}, timeout=50 * EVERY)
        watching.cancel()
    assert done == {watching}
