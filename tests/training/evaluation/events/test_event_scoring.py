"""Alarms against the truth, from decisions that were written down."""

from __future__ import annotations

import numpy as np
import pytest
from support.decisions import START, decision
from support.heard import heard

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.state import AlarmEvent, AlarmState
from vser_stream.core.alarm.state_machine import step, tick
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.evaluation.events.event_scoring import FalseAlarm, Told, alarms, judge
from vser_stream.training.simulation.room import Sound
from vser_stream.training.simulation.scenes import Event
from vser_stream.values import FRAME, RATE, Decision, Label

CONFIG = AlarmConfig(
    panic=PanicConfig(fast=0.9, hold=60.0), angry=AngryConfig(distress=7.0, at_least=0.5, hold=30.0)
)
PANIC = Event(Answer.PANIC, 100.0, 108.0)
ANGRY = Event(Answer.ANGRY, 100.0, 108.0)
SCREAM = Event(Answer.SCREAM, 100.0, 102.0)


def sure(label: str, at: float, *, p: float = 0.95) -> tuple[float, Decision]:
    rest = {"panic": "angry", "angry": "calm", "calm": "angry"}[label]
    return at, decision(**{label: p, rest: 1 - p}, at=at)


@pytest.mark.parametrize("seed", range(3))
def test_the_alarm_run_again_gives_what_the_pipeline_gave(seed: int) -> None:
    brief = AlarmConfig(
        panic=PanicConfig(hold=9.0, at_least=0.6, fast=0.9), angry=AngryConfig(hold=6.0, at_least=0.5)
    ).unattended
    rng = np.random.default_rng(seed)
    frames = sorted(rng.choice(30_000, 120, replace=False).tolist())
    at = {frame: START + frame * FRAME / RATE for frame in range(30_000)}
    decided = {}
    for frame in frames:
        calm, angry, panic = rng.dirichlet((1.0, 0.3, 0.3))
        decided[frame] = decision(calm=calm, angry=angry, panic=panic, at=frame * FRAME / RATE)
    state, expected = AlarmState(), []
    for frame, now in at.items():
        if frame in decided:
            state, changes = step(state, decided[frame], now, config=brief)
            expected += [(now, change) for change in changes]
        state, over = tick(state, now, config=brief)
        expected += [(now, change) for change in over]
    timed = alarms([(at[frame], it) for frame, it in decided.items()], config=brief, end=at[29_999])
    assert {change.event for _, change in expected} >= {AlarmEvent.RAISED, AlarmEvent.CLEARED}
    assert [(it.event, it.level, it.decision.segment.heard_at) for _, it in timed] == [
        (it.event, it.level, it.decision.segment.heard_at) for _, it in expected
    ]
    assert [now for now, _ in timed] == pytest.approx([now for now, _ in expected], abs=FRAME / RATE)


def test_where_panic_is_on_windows_are_not_looked_at() -> None:
    decisions = [sure("panic", 50.0), (55.0, decision(panic=1.0, at=55.0, utterance_at=54.0))]
    timed = alarms(decisions, config=CONFIG, end=3600.0)
    assert [(it.event, round(at)) for at, it in timed] == [("raised", 50), ("cleared", 110)]


def test_an_event_is_told_by_an_alarm_raised_in_it() -> None:
    found = judge(heard([PANIC], [sure("panic", 101.5)]), CONFIG)
    assert found.told == (Told(Answer.PANIC, after=1.5, after_any=1.5, as_panic=True, masked=False),)
    assert found.false_alarms == ()
    assert found.calm_hours == pytest.approx((3600 - 16) / 3600)


@pytest.mark.parametrize(("at", "told"), [(99.9, False), (100.0, True), (116.0, True), (116.1, False)])
def test_an_alarm_counts_from_the_first_word_to_eight_seconds_after_the_last(
    at: float, *, told: bool
) -> None:
    found = judge(heard([PANIC], [sure("panic", at)]), CONFIG)
    assert (found.told[0].after is not None, not found.false_alarms) == (told, told)


def test_an_event_under_a_false_alarm_is_masked_and_not_told() -> None:
    found = judge(heard([PANIC], [sure("panic", 60.0), sure("panic", 102.0)]), CONFIG)
    assert found.told == (Told(Answer.PANIC, after=None, after_any=None, as_panic=False, masked=True),)
    assert [alarm.at for alarm in found.false_alarms] == [60.0]


def test_an_event_after_a_false_alarm_was_cleared_is_told() -> None:
    found = judge(heard([PANIC], [sure("panic", 30.0), sure("panic", 102.0)]), CONFIG)
    assert (found.told[0].after, found.told[0].masked) == (2.0, False)


def test_panic_told_as_anger_is_told_but_not_as_panic() -> None:
    angry = [sure("angry", at) for at in (101.0, 102.0, 103.0)]
    found = judge(heard([PANIC], angry), CONFIG)
    assert found.told == (Told(Answer.PANIC, after=None, after_any=3.0, as_panic=False, masked=False),)
    assert found.false_alarms == ()


def test_anger_told_as_panic_is_told_and_confused() -> None:
    found = judge(heard([ANGRY], [sure("panic", 102.0)]), CONFIG)
    assert found.told == (Told(Answer.ANGRY, after=2.0, after_any=2.0, as_panic=True, masked=False),)


def test_anger_under_a_false_alarm_is_told_where_it_becomes_panic() -> None:
    before = [sure("angry", at) for at in (80.0, 81.0, 82.0)]
    found = judge(heard([ANGRY], [*before, sure("panic", 102.0)]), CONFIG)
    assert found.told == (Told(Answer.ANGRY, after=2.0, after_any=2.0, as_panic=True, masked=False),)


def test_a_scream_is_told_by_an_alarm_of_panic_and_no_other() -> None:
    angry = [sure("angry", at) for at in (100.5, 101.0, 101.5)]
    assert judge(heard([SCREAM], [sure("panic", 101.5)]), CONFIG).told[0].after == 1.5
    assert judge(heard([SCREAM], angry), CONFIG).told == (
        Told(Answer.SCREAM, after=None, after_any=1.5, as_panic=False, masked=False),
    )


@pytest.mark.parametrize(
    ("sounds", "cause"),
    [
        ([], "background"),
        ([("background", 10.0, 12.0, None)], "background"),
        ([("radio", 0.0, 90.0, None), ("resident", 49.4, 50.0, Answer.CALM)], "resident"),
        ([("radio", 0.0, 90.0, None), ("background", 49.5, 50.0, None)], "radio"),
        ([("visitor", 49.1, 49.3, Answer.CALM), ("look-alike", 49.3, 49.9, Answer.OTHER)], "look-alike"),
    ],
)
def test_a_false_alarm_has_what_was_heard_as_its_cause(
    sounds: list[tuple[str, float, float, Answer | None]], cause: str
) -> None:
    found = judge(heard([PANIC], [sure("panic", 50.0)], sounds=[Sound(*it) for it in sounds]), CONFIG)
    assert found.false_alarms == (FalseAlarm(Label.PANIC, 50.0, cause),)
