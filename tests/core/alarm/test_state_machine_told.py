"""What each transition says: its level, its reason, by whom, and on which decision it rests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Pause, Signal, Transition
from vser_stream.core.alarm.state_machine import (
    STEPPED,
    acknowledge,
    amend,
    clock_set,
    live,
    pause,
    resume,
    step,
    tick,
)
from vser_stream.values import Decision, Label

CONFIG = AlarmConfig(
    panic=PanicConfig(distress=1.4, at_least=0.5, fast=0.9, hold=60, escalate_after=(30, 120)),
    angry=AngryConfig(distress=0.8, at_least=0.5, hold=30, refractory=60),
    acknowledge_for=300,
    longest_pause=3600,
    remind_every=900,
)
E = AlarmEvent


@dataclass(frozen=True)
class Told:
    """A transition in short."""

    event: AlarmEvent
    level: Label
    at: float
    """When the voice it rests on was heard (s after START)."""


def short(changes: tuple[Transition, ...]) -> list[Told]:
    return [Told(one.event, one.level, one.decision.segment.heard_at - START) for one in changes]


def panic(at: float) -> Decision:
    return decision(at=at, panic=0.95, calm=0.05)


def angry(at: float) -> Decision:
    return decision(at=at, angry=0.9, calm=0.1)


def after(*decisions: Decision, config: AlarmConfig = CONFIG) -> AlarmState:
    state = AlarmState()
    for one in decisions:
        state, _ = step(state, one, one.segment.ended_at, config=config)
    return state


def latched(at: float = 1.0) -> AlarmState:
    """A panic that is over, and signalled still."""
    state, changes = tick(after(panic(at)), START + at + 60, config=CONFIG)
    assert [one.event for one in changes] == [E.LATCHED]
    return state


def test_an_acknowledgement_says_by_whom_until_when_and_of_what() -> None:
    state, (seen,) = acknowledge(after(panic(1.0)), START + 10, by="Ana", config=CONFIG)
    assert (seen.event, seen.level, seen.by, seen.reason) == (E.ACKNOWLEDGED, Label.PANIC, "Ana", "by Ana")
    assert seen.until == START + 310
    assert state.signal is Signal.ACKNOWLEDGED
    assert not seen.heard, "no voice was judged just now"


def test_who_acknowledges_what_is_over_ends_it_and_both_are_told() -> None:
    state, (seen, cleared) = acknowledge(latched(), START + 90, by="Ana", config=CONFIG)
    assert short((seen, cleared)) == [
        Told(E.ACKNOWLEDGED, Label.PANIC, 0.0),
        Told(E.CLEARED, Label.PANIC, 0.0),
    ]
    assert (seen.by, seen.reason, seen.until) == ("Ana", "by Ana", None)
    assert "over" in cleared.reason
    assert "Ana" in cleared.reason
    assert state.alarm is None
    assert state.cleared_at == {Label.PANIC: START + 90, Label.ANGRY: START + 90}


def test_a_condition_that_is_over_says_after_how_long_and_a_latched_one_that_somebody_must_come() -> None:
    state, (unanswered,) = tick(after(panic(1.0)), START + 60.9, config=CONFIG)
    assert unanswered.event is E.UNACKNOWLEDGED
    _, (latching,) = tick(state, START + 61, config=CONFIG)
    assert (latching.event, latching.level) == (E.LATCHED, Label.PANIC)
    assert "60 s" in latching.reason
    assert "acknowledged" in latching.reason
    _, (cleared,) = tick(after(angry(1.0)), START + 31, config=CONFIG)
    assert (cleared.event, cleared.level) == (E.CLEARED, Label.ANGRY)
    assert "angry" in cleared.reason
    assert "30 s" in cleared.reason
    assert "acknowledged" not in cleared.reason


def test_a_latched_alarm_waits_for_no_utterance_to_end() -> None:
    window = decision(at=2.0, utterance_at=1.0, panic=0.95, calm=0.05)
    state, _ = tick(after(window), START + 62, config=CONFIG)
    assert state.alarm is not None
    assert not state.alarm.present
    assert not state.alarm.awaits_end
    whole = decision(at=2.0, utterance_at=None, panic=0.1, calm=0.9)
    whole = replace(whole, segment=replace(whole.segment, heard_at=window.segment.heard_at))
    assert step(state, whole, START + 63, config=CONFIG)[1] == ()


def test_an_amendment_is_of_the_level_of_the_alarm_and_has_what_was_judged_anew() -> None:
    window = decision(at=2.0, utterance_at=1.0, panic=0.95, calm=0.05)
    whole = decision(at=2.0, calm=0.9, angry=0.1)
    _, (amended,) = step(after(window), whole, START + 3, config=CONFIG)
    assert (amended.event, amended.level) == (E.AMENDED, Label.PANIC)
    assert amended.decision is whole
    assert amended.heard
    _, (second,) = amend(after(panic(1.0)), panic(1.0), START + 3, config=CONFIG)
    assert (second.event, second.level, second.heard) == (E.AMENDED, Label.PANIC, True)
    assert second.reason.startswith("confirmed ")
    doubted = decision(at=1.0, calm=0.9, angry=0.1)
    _, (second,) = amend(after(panic(1.0)), doubted, START + 3, config=CONFIG)
    assert second.reason.startswith("not confirmed ")


def test_a_latched_panic_that_comes_back_rests_on_the_voice_that_brought_it_back() -> None:
    state, (back,) = step(latched(), panic(100.0), START + 100, config=CONFIG)
    assert short((back,)) == [Told(E.RERAISED, Label.PANIC, 99.0)]
    assert back.heard
    assert state.alarm is not None
    assert state.alarm.decision.segment.heard_at == START + 99
    assert (state.alarm.supported_at, state.alarm.signalled_at, state.alarm.told) == (START + 100,) * 2 + (0,)


def test_one_that_outlasts_its_acknowledgement_rests_on_the_last_voice_and_is_no_news_of_it() -> None:
    state, _ = acknowledge(after(panic(1.0)), START + 2, by="Ana", config=CONFIG)
    for at in range(50, 301, 50):
        state, _ = step(state, panic(at), START + at, config=CONFIG)
        state, changes = tick(state, START + at, config=CONFIG)
        assert changes == ()
    state, (again,) = tick(state, START + 302, config=CONFIG)
    assert short((again,)) == [Told(E.RERAISED, Label.PANIC, 299.0)]
    assert not again.heard
    assert state.alarm is not None
    assert state.alarm.supported_at == START + 300, "time is no support"
    assert state.alarm.signalled_at == START + 302
    assert state.signal is Signal.ON


def test_a_reminder_says_how_long_nobody_came_and_which_one_it_is() -> None:
    state, told = after(panic(1.0)), list[tuple[AlarmEvent, int | None, str]]()
    for at in range(2, 2000):
        state = replace(state, alarm=state.alarm and replace(state.alarm, supported_at=START + at))
        state, changes = tick(state, START + at, config=CONFIG)
        told += [(one.event, one.step, one.reason.split()[-2]) for one in changes]
    assert told == [
        (E.UNACKNOWLEDGED, 1, "30"),
        (E.UNACKNOWLEDGED, 2, "120"),
        (E.REMINDER, 3, "1020"),
        (E.REMINDER, 4, "1920"),
    ]


def test_the_refractory_time_ends_on_the_second() -> None:
    state, _ = tick(after(angry(1.0)), START + 31, config=CONFIG)
    for at, event in ((90.5, E.SUPPRESSED), (91.0, E.RAISED)):
        _, (told,) = step(state, angry(at), START + at, config=CONFIG)
        assert (told.event, told.level) == (event, Label.ANGRY)


def test_all_that_is_held_back_is_told_level_by_level() -> None:
    off = CONFIG.model_copy(
        update={
            "panic": CONFIG.panic.model_copy(update={"enabled": False}),
            "angry": CONFIG.angry.model_copy(update={"enabled": False}),
        }
    )
    state, changes = step(AlarmState(), panic(1.0), START + 1, config=off)
    assert [(one.event, one.level) for one in changes] == [
        (E.SUPPRESSED, Label.PANIC),
        (E.SUPPRESSED, Label.ANGRY),
    ]
    assert all("ALARM OFF" in one.reason for one in changes)
    assert state.alarm is None
    again, told = step(state, panic(1.0), START + 1, config=off)
    assert told == (), "once for each utterance"
    assert again.suppressed == state.suppressed == dict.fromkeys((Label.PANIC, Label.ANGRY), START)


@given(st.floats(-86_400.0, 86_400.0))
def test_when_the_clock_is_set_all_that_is_remembered_is_as_old_as_before(by: float) -> None:
    state, _ = acknowledge(after(panic(1.0), panic(3.0)), START + 5, by="Ana", config=CONFIG)
    state = pause(state, START + 6, for_s=600, by="Bo", config=CONFIG)
    state = replace(state, cleared_at={Label.ANGRY: START - 50})
    moved = clock_set(state, by)
    assert moved.at == pytest.approx(START + 6 + by)
    assert moved.alarm is not None
    assert moved.alarm.acknowledged is not None
    assert moved.pause is not None
    assert moved.alarm.supported_at == pytest.approx(START + 3 + by)
    assert moved.alarm.signalled_at == pytest.approx(START + 1 + by)
    assert moved.alarm.acknowledged.until == pytest.approx(START + 305 + by)
    assert moved.alarm.acknowledged.by == "Ana"
    assert (moved.pause.by, moved.pause.ending) == ("Bo", False)
    assert moved.pause.since == pytest.approx(START + 6 + by)
    assert moved.pause.until == pytest.approx(START + 606 + by)
    assert moved.cleared_at == {Label.ANGRY: pytest.approx(START - 50 + by)}
    assert [vote.at for vote in moved.votes] == pytest.approx([START + 1 + by, START + 3 + by])
    assert [vote.decision for vote in moved.votes] == [vote.decision for vote in state.votes]
    assert moved.suppressed == state.suppressed


def test_of_an_alarm_nobody_takes_care_of_a_set_clock_makes_none() -> None:
    moved = clock_set(after(panic(1.0)), 3600.0)
    assert moved.alarm is not None
    assert moved.alarm.acknowledged is None
    assert moved.pause is None


@pytest.mark.parametrize(("back", "set_back"), [(STEPPED, False), (STEPPED + 0.1, True)])
def test_a_clock_a_little_back_is_audio_that_waited_and_farther_back_was_set(
    back: float, *, set_back: bool
) -> None:
    state = after(panic(1.0))
    resumed = resume(state, START + 1 - back)
    assert resumed.alarm is not None
    assert resumed.at == pytest.approx(START + 1 - back if set_back else START + 1)
    assert resumed.alarm.supported_at == pytest.approx(START + 1 - (back if set_back else 0.0))


def test_a_pause_is_no_longer_than_the_longest_and_ends_when_it_is_over() -> None:
    state = pause(AlarmState(), START, for_s=1e6, by="Ana", config=CONFIG)
    assert state.pause == Pause("Ana", since=START, until=START + 3600)
    for at, ending in ((2879.9, False), (2880.0, True)):
        state, _ = tick(state, START + at, config=CONFIG)
        assert state.pause is not None
        assert state.pause.ending is ending
    state, _ = tick(state, START + 3600, config=CONFIG)
    assert state.pause is None
    assert resume(pause(state, START + 3600, for_s=9, by="Bo", config=CONFIG), START + 3601).pause is None


def test_a_room_learns_nothing_while_somebody_paused_it() -> None:
    state = AlarmState(room=replace(AlarmState().room, basis="b"))
    assert live(state, 43_200.0).room.heard == pytest.approx(0.5)
    paused = pause(state, START, for_s=600, by="Ana", config=CONFIG)
    assert live(paused, 43_200.0) is paused
    assert step(paused, panic(1.0), START + 1, config=CONFIG)[0].room.now is None
    assert step(state, panic(1.0), START + 1, config=CONFIG)[0].room.now is not None


def test_a_second_verdict_on_a_voice_nobody_remembers_changes_nothing() -> None:
    state = after(angry(1.0))
    assert amend(state, panic(99.0), START + 2, config=CONFIG) == (replace(state, at=START + 2), ())


def test_an_alarm_a_second_verdict_raises_rests_on_it_and_is_news() -> None:
    state, (begun,) = amend(
        after(decision(at=1.0, calm=0.6, panic=0.4)), panic(1.0), START + 3, config=CONFIG
    )
    assert short((begun,)) == [Told(E.RAISED, Label.PANIC, 0.0)]
    assert begun.heard
    assert state.alarm is not None
    assert state.alarm.decision.label is Label.PANIC
    assert (state.alarm.supported_at, state.alarm.raised_in) == (START + 3, START)


def test_a_latched_one_a_second_verdict_brings_back_is_present_from_then_on() -> None:
    state, _ = step(latched(), decision(at=100.0, calm=0.6, panic=0.4), START + 100, config=CONFIG)
    state, (back,) = amend(state, panic(100.0), START + 102, config=CONFIG)
    assert short((back,)) == [Told(E.RERAISED, Label.PANIC, 99.0)]
    assert state.alarm is not None
    assert state.alarm.present
    assert state.alarm.supported_at == START + 102
    assert state.alarm.decision.segment.heard_at == START + 99


def test_the_whole_utterance_is_told_once() -> None:
    window = decision(at=2.0, utterance_at=1.0, panic=0.95, calm=0.05)
    whole = decision(at=2.0, panic=0.95, calm=0.05)
    state, told = step(after(window), whole, START + 3, config=CONFIG)
    assert [one.event for one in told] == [E.AMENDED]
    assert state.alarm is not None
    assert state.alarm.awaits_end is False
    assert step(state, whole, START + 4, config=CONFIG)[1] == ()


def test_a_room_learns_of_a_second_verdict_at_the_time_its_voice_was_heard() -> None:
    state = AlarmState(room=replace(AlarmState().room, basis="b"))
    for at, unsure in ((1.0, 0.4), (90.0, 0.4)):
        state, _ = step(state, decision(at=at, calm=1 - unsure, panic=unsure), START + at, config=CONFIG)
    assert state.room.now is None
    state, _ = amend(state, panic(1.0), START + 91, config=CONFIG)
    assert state.room.now is not None
    assert state.room.now.peaks[Label.PANIC] > CONFIG.panic.distress
