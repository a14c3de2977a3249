from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.cusum import Vote, called_for, with_vote
from vser_stream.core.alarm.room_adaptation import (
    AWAY,
    HIGHEST,
    LONGEST_WAIT,
    LOWEST,
    MOST_WAITING,
    Room,
    judged,
    lived,
    noted,
    raised,
    settled,
    thresholds_of,
)
from vser_stream.core.alarm.state import AlarmEvent, AlarmState
from vser_stream.core.alarm.state_machine import live, pause, resume, step, tick
from vser_stream.core.alarm.threshold_curve import Curve, Curves, as_asked
from vser_stream.values import Label

PER_DAY = 2.0
CONFIG = AlarmConfig(
    false_alarms_per_day=PER_DAY,
    panic=PanicConfig(at_least=0.82, fast=0.99),
    angry=AngryConfig(at_least=0.82),
)
CURVES: Curves = {
    Label.PANIC: Curve(per_day=(32.0, 8.0, 2.0, 0.5), distress=(2.0, 4.0, 6.0, 8.0)),
    Label.ANGRY: Curve(per_day=(16.0, 4.0, 1.0), distress=(3.0, 5.0, 7.0)),
}
USUAL = 6.0
ASKED = as_asked(CONFIG, CURVES)
MINUTE = 1 / 1440
HOUR = 60 * MINUTE

settle = partial(settled, config=CONFIG, curves=CURVES)


def fresh() -> Room:
    return settle(Room())


def factor(room: Room) -> float:
    return settle(room).factors[Label.PANIC]


def after(room: Room, days: float, *, peaks: tuple[float, ...] = (), alarm: str = "") -> Room:
    """The room after so many days, each with these stretches; an hour is enough to tell two apart."""
    for _ in range(round(days)):
        for hour in range(24):
            if hour < len(peaks):
                room = noted(room, {Label.PANIC: peaks[hour], Label.ANGRY: peaks[hour]})
                room = raised(room, alarm) if alarm else room
                room = lived(room, MINUTE, present=False)
            room = lived(noted(room, {}), HOUR - MINUTE * (hour < len(peaks)), present=False)
    return room


def test_a_room_nobody_has_heard_is_as_the_model_has_it() -> None:
    assert fresh().factors == {Label.PANIC: 1.0, Label.ANGRY: 1.0}


def test_a_quiet_room_is_listened_to_more_closely_and_one_with_loud_people_less() -> None:
    quiet, loud = after(fresh(), 7), after(fresh(), 7, peaks=(6.5,) * 6)
    assert LOWEST <= factor(quiet) < 1.0 < factor(loud) <= HIGHEST
    assert factor(loud) > 6.5 / USUAL  # above what it reaches six times a day, where two are allowed
    assert factor(after(fresh(), 7, peaks=(6.5, 6.5))) == 1.0  # just what is allowed


def test_where_panic_is_harder_to_raise_so_is_anger() -> None:
    room = fresh()
    for _ in range(7 * 8):
        room = lived(noted(room, {Label.PANIC: 8.5}), MINUTE, present=False)
        room = lived(noted(room, {}), 3 * HOUR, present=False)
    panic, angry = thresholds_of(CONFIG, CURVES, settle(room))
    assert angry.distress >= panic.distress > panic.usual


def test_what_is_allowed_decides_how_much_a_room_is_given_way_to() -> None:
    many = CONFIG.model_copy(update={"false_alarms_per_day": 8.0})
    loud = after(fresh(), 7, peaks=(6.5,) * 6)
    assert settled(loud, many, CURVES).factors[Label.PANIC] <= 1.0


def test_a_room_that_was_noisy_for_a_week_is_forgiven_in_two() -> None:
    noisy = after(fresh(), 7, peaks=(11.0,) * 24)
    assert factor(noisy) == HIGHEST
    assert factor(after(noisy, 14)) <= 1.0


@st.composite
def lives(draw: st.DrawFn) -> Room:
    """A room after anything that may happen in it."""
    kinds = st.sampled_from(["voice", "peak", "alarm", "right", "wrong", "minute", "hour", "day", "present"])
    room = fresh()
    for kind in draw(st.lists(kinds, max_size=60)):
        size = draw(st.floats(0.0, 40.0))
        match kind:
            case "voice":
                room = noted(room, {})
            case "peak":
                room = noted(room, {Label.PANIC: size, Label.ANGRY: size / 2})
            case "alarm":
                room = raised(room, f"a{int(size) % 5}")
            case "right" | "wrong":
                room = judged(room, f"a{int(size) % 5}", true=kind == "right")
            case _:
                days = {"minute": MINUTE, "hour": HOUR, "day": 1.0, "present": MINUTE}[kind]
                room = lived(room, days, present=kind == "present")
    return settle(room)


@settings(max_examples=300)
@given(lives())
def test_no_room_is_ever_asked_for_more_or_less_than_the_bounds(room: Room) -> None:
    assert all(LOWEST <= factor <= HIGHEST for factor in room.factors.values())
    assert len(room.waiting) <= MOST_WAITING
    assert 0.0 <= room.days <= room.heard + 1e-9


@settings(max_examples=300)
@given(
    st.floats(LOWEST, HIGHEST),
    st.floats(0.95, 1.0),
    st.floats(0.3, 8.0),
    st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 1.0), st.floats(0.3, 8.0)), max_size=12),
)
def test_no_room_takes_away_a_panic_that_is_sure(
    factor: float, sure: float, lasts: float, before: list[tuple[float, float, float]]
) -> None:
    """Whatever the model alone would tell at p >= 0.95 is told in every room."""
    votes: tuple[Vote, ...] = ()
    now = START
    for pause_s, panic, seconds in before:
        now += pause_s
        heard = decision(panic=panic, calm=1.0 - panic, at=now - START, lasts=seconds)
        votes = with_vote(votes, Vote(now, heard))
    now += lasts
    latest = decision(panic=sure, calm=1.0 - sure, at=now - START, lasts=lasts)
    votes = with_vote(votes, Vote(now, latest))
    factors = dict.fromkeys((Label.PANIC, Label.ANGRY), factor)
    alone = {call.level for call in called_for(votes, latest, now, config=ASKED)}
    here = {call.level for call in called_for(votes, latest, now, config=ASKED, factors=factors)}
    assert alone <= here


def heard_in(room: Room, *panics: float) -> list[AlarmEvent]:
    """Events of a room in which such a voice is heard every other second."""
    state, events = AlarmState(room=room), []
    for number, panic in enumerate(panics):
        at = 2.0 * number
        heard = decision(panic=panic, calm=1.0 - panic, at=at, lasts=1.8)
        state, told = step(state, heard, START + at, config=ASKED)
        events += [it.event for it in told]
    return events


def test_a_room_that_is_noisy_makes_nobody_deaf_and_a_quiet_one_hears_sooner() -> None:
    noisy, quiet = settle(after(fresh(), 7, peaks=(11.0,) * 24)), settle(after(fresh(), 7))
    sure, unsure = (0.985,) * 2, (0.945,) * 5
    assert heard_in(noisy, *sure) == heard_in(fresh(), *sure) == [AlarmEvent.RAISED]
    assert heard_in(noisy, *unsure) == []
    assert heard_in(fresh(), *unsure) == [AlarmEvent.RAISED]
    assert heard_in(fresh(), *unsure[:3]) == []
    assert heard_in(quiet, *unsure[:3]) == [AlarmEvent.RAISED]
    assert heard_in(noisy, *(0.945,) * 60)[:1] == [AlarmEvent.RAISED]  # who goes on is heard everywhere


def test_what_a_person_calls_right_is_not_what_the_room_is_like() -> None:
    room = after(fresh(), 1, peaks=(7.0,), alarm="a1")
    unsaid = after(room, 2)
    assert sum(unsaid.counts[Label.PANIC]) > 0.5
    assert judged(room, "a1", true=True).waiting == ()
    assert sum(after(judged(room, "a1", true=True), 2).counts.get(Label.PANIC, ())) == 0.0
    assert sum(judged(room, "a1", true=False).counts[Label.PANIC]) == 1.0
    assert judged(room, "other", true=True) == room


def test_a_word_on_an_alarm_that_goes_on_counts_when_it_is_over() -> None:
    room = raised(noted(fresh(), {Label.PANIC: 7.0}), "a1")
    room = judged(judged(room, "a1", true=True), "a1", true=False)
    over = lived(lived(room, MINUTE, present=False), MINUTE, present=False)
    assert (over.now, over.waiting) == (None, ())
    assert Label.PANIC not in over.counts


def test_nothing_counts_before_somebody_could_say_that_it_was_right() -> None:
    room = after(fresh(), 1, peaks=(7.0,), alarm="a1")
    (waiting,) = room.waiting
    almost = lived(room, waiting.over_at + 0.99 * LONGEST_WAIT - room.heard, present=False)
    assert almost.waiting == (waiting,)
    assert lived(almost, 0.02 * LONGEST_WAIT, present=False).waiting == ()


def test_voices_that_follow_each_other_within_a_minute_are_one_stretch() -> None:
    room = fresh()
    for peak in (3.0, 7.0, 5.0):
        room = lived(noted(room, {Label.PANIC: peak}), MINUTE, present=False)
    room = lived(room, MINUTE, present=True)  # an alarm that is on goes on with it
    assert room.now is not None
    assert room.now.peaks == {Label.PANIC: 7.0}
    room = lived(room, MINUTE, present=False)
    assert room.now is None
    assert sum(room.counts[Label.PANIC]) == 1.0


def test_an_empty_home_teaches_nothing() -> None:
    room = lived(noted(fresh(), {}), AWAY, present=False)
    left = lived(room, 30.0, present=False)
    assert (left.days, left.heard) == (room.days, 31.0)
    assert lived(noted(left, {}), HOUR, present=False).days != left.days


def test_another_model_begins_anew_and_another_wish_does_not() -> None:
    known = settle(after(fresh(), 7, peaks=(7.0,) * 6))
    other = {**CURVES, Label.PANIC: Curve(per_day=(9.0, 1.0), distress=(2.0, 4.0))}
    assert settled(known, CONFIG, other).days == 0.0
    longer = CONFIG.model_copy(update={"panic": CONFIG.panic.model_copy(update={"half_life": 30.0})})
    assert settled(known, longer, CURVES).days == 0.0
    assert settled(known, CONFIG.model_copy(update={"false_alarms_per_day": 0.5}), CURVES).days == known.days
    assert settled(known, CONFIG, {}) == Room()


def test_what_somebody_set_themselves_no_room_changes() -> None:
    config = AlarmConfig(panic=PanicConfig(distress=5.0))
    room = settled(after(settled(Room(), config, CURVES), 7), config, CURVES)
    assert set(room.factors) == {Label.ANGRY}
    panic, angry = thresholds_of(config, CURVES, room)
    assert (panic.distress, panic.usual, panic.reason) == (5.0, 5.0, "set in the configuration")
    assert angry.distress < angry.usual


def test_the_words_say_from_where_on_and_why() -> None:
    panic, _ = thresholds_of(CONFIG, CURVES, fresh())
    assert (panic.distress, panic.reason) == (6.0, "2 false alarms a day allowed")
    panic, _ = thresholds_of(CONFIG, CURVES, settle(after(fresh(), 7, peaks=(6.5,) * 6)))
    said = "2 false alarms a day allowed; the background of this room reaches 6.2 about once a day"
    assert (panic.distress > panic.usual, panic.reason) == (True, said)
    panic, _ = thresholds_of(CONFIG, {}, Room())
    assert (panic.distress, panic.reason) == (
        PanicConfig().distress,
        "as shipped: the model has no table of what thresholds cost",
    )


def test_a_state_learns_what_its_alarm_stage_sees_and_nothing_in_a_pause() -> None:
    def minutes(state: AlarmState, count: int) -> AlarmState:
        for _ in range(count):
            state = live(state, 60.0)
        return state

    cry = decision(panic=0.94, calm=0.06, at=1.0, lasts=1.0)
    state, _ = step(AlarmState(room=fresh()), cry, START + 1, config=ASKED)
    assert state.room.now is not None
    assert state.room.now.peaks.keys() == {Label.PANIC, Label.ANGRY}
    learned = minutes(state, 3)
    assert sum(learned.room.counts[Label.PANIC]) == pytest.approx(1.0, abs=0.01)

    paused = pause(AlarmState(room=fresh()), START, for_s=3600, by="Ana", config=ASKED)
    paused, _ = step(paused, cry, START + 1, config=ASKED)
    assert minutes(paused, 3).room == fresh()
    back = minutes(resume(paused, START + 2), 3)
    assert back.room.heard == pytest.approx(3 * MINUTE)
    assert back.room.now is None
    silent, _ = tick(replace(back, pause=None), START + 3600, config=ASKED, heard=False)
    assert silent.room == back.room


def test_without_a_curve_nothing_is_learned() -> None:
    cry = decision(panic=0.94, calm=0.06, at=1.0)
    state, _ = step(AlarmState(), cry, START + 1, config=AlarmConfig(angry=AngryConfig(hold=5)))
    assert live(state, 60.0).room == Room()
    assert raised(Room(), "a1") == Room()
