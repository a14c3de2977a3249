"""What an alarm does until somebody answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.cusum import called_for
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Signal, Transition
from vser_stream.core.alarm.state_machine import Step, acknowledge, amend, pause, resume, step, tick
from vser_stream.core.wire.numbering import Story
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.values import DecidedBy, Label

CONFIG = AlarmConfig(
    panic=PanicConfig(distress=1.4, at_least=0.5, fast=0.9, hold=60, escalate_after=(30, 120)),
    angry=AngryConfig(distress=0.8, at_least=0.5, hold=30, refractory=60),
    acknowledge_for=300,
    longest_pause=3600,
    remind_every=900,
)
OFF = CONFIG.model_copy(update={"panic": CONFIG.panic.model_copy(update={"enabled": False})})
E, L = AlarmEvent, Label


@dataclass
class Room:
    """A source under a nurse's hands, times from START (s)."""

    config: AlarmConfig = CONFIG
    state: AlarmState = field(default_factory=AlarmState)
    story: list[Transition] = field(default_factory=list)

    def take(self, taken: Step) -> Sequence[Transition]:
        self.state, changes = taken
        self.story += changes
        return changes

    def panic(self, at: float) -> Sequence[Transition]:
        return self.take(step(self.state, decision(at=at, panic=0.95), START + at, config=self.config))

    def anger(self, at: float) -> Sequence[Transition]:
        return self.take(step(self.state, decision(at=at, angry=0.9), START + at, config=self.config))

    def wait(self, until: float, *, heard: bool = True) -> Sequence[Transition]:
        return self.take(tick(self.state, START + until, config=self.config, heard=heard))

    def ack(self, at: float) -> Sequence[Transition]:
        return self.take(acknowledge(self.state, START + at, by="Ana", config=self.config))

    def pause(self, at: float, minutes: float) -> None:
        self.state = pause(self.state, START + at, for_s=minutes * 60, by="Ana", config=self.config)

    @property
    def events(self) -> list[AlarmEvent]:
        return [transition.event for transition in self.story]


def test_a_panic_that_is_over_stays_signalled_until_somebody_acknowledges_it() -> None:
    room = Room()
    room.panic(1)
    assert room.state.signal is Signal.ON
    room.wait(62)
    assert (room.events, room.state.signal, room.state.level) == (
        [E.RAISED, E.LATCHED],
        Signal.LATCHED,
        L.CALM,
    )
    room.ack(70)
    assert room.events[2:] == [E.ACKNOWLEDGED, E.CLEARED]
    assert (room.state.alarm, room.state.signal) == (None, Signal.OFF)


def test_an_acknowledged_panic_clears_by_itself() -> None:
    room = Room()
    room.panic(1)
    (seen,) = room.ack(5)
    assert (seen.event, seen.by, seen.until) == (E.ACKNOWLEDGED, "Ana", START + 305)
    assert room.state.signal is Signal.ACKNOWLEDGED
    assert [one.event for one in room.wait(62)] == [E.CLEARED]


def test_one_that_is_still_present_when_the_acknowledgement_ends_is_signalled_again() -> None:
    room = Room()
    room.panic(1)
    room.ack(2)
    for at in range(20, 300, 20):
        assert room.panic(at) == ()
    assert [one.event for one in room.wait(303)] == [E.RERAISED]
    assert room.state.signal is Signal.ON


def test_a_latched_panic_that_comes_back_is_told() -> None:
    room = Room()
    room.panic(1)
    room.wait(62)
    assert [one.event for one in room.panic(80)] == [E.RERAISED]
    assert room.state.level is L.PANIC


def test_what_nobody_acknowledges_is_told_by_steps_and_then_at_even_times() -> None:
    room = Room()
    room.panic(0)
    told = [(at, one.event, one.step) for at in range(1, 2000) for one in room.wait(at)]
    assert told == [
        (30, E.UNACKNOWLEDGED, 1),
        (60, E.LATCHED, None),
        (120, E.UNACKNOWLEDGED, 2),
        (1020, E.REMINDER, 3),
        (1920, E.REMINDER, 4),
    ]


def test_there_is_nothing_to_acknowledge_twice() -> None:
    room = Room()
    assert room.ack(0) == ()
    room.panic(1)
    room.ack(2)
    assert room.ack(3) == ()


def test_a_pause_holds_back_anger_and_says_so_and_never_panic() -> None:
    room = Room()
    room.pause(0, minutes=10)
    (held,) = room.anger(5)
    assert (held.event, held.reason) == (
        E.SUPPRESSED,
        "distress 1.6 (alarm from 0.8), 1 utterance in 1 s; held back, paused by Ana for another 595 s",
    )
    assert [one.event for one in room.panic(6)] == [E.RAISED]


def test_a_pause_announces_its_end_and_ends() -> None:
    room = Room()
    room.pause(0, minutes=600)
    room.wait(0.79 * 3600)
    assert room.state.pause is not None
    assert not room.state.pause.ending
    room.wait(0.81 * 3600)
    assert room.state.pause.ending
    room.wait(3600)
    assert room.state.pause is None
    room.pause(4000, minutes=1)
    assert resume(room.state, START + 4001).pause is None


def test_anger_under_a_latched_panic_is_told_as_held_back() -> None:
    room = Room()
    room.panic(1)
    room.wait(62)
    (held,) = room.anger(70)
    assert (held.event, held.level) == (E.SUPPRESSED, L.ANGRY)
    assert "panic remains signalled" in held.reason


def test_alarm_off_is_told_with_each_panic_it_holds_back_and_leaves_anger_on() -> None:
    room = Room(config=OFF)
    told = room.panic(1)
    assert [(one.event, one.level) for one in told] == [(E.SUPPRESSED, L.PANIC), (E.RAISED, L.ANGRY)]
    assert "ALARM OFF" in told[0].reason


def test_less_is_needed_to_sustain_a_condition_than_to_raise_it() -> None:
    stern = CONFIG.panic.model_copy(update={"at_least": 0.8})
    room = Room(config=CONFIG.model_copy(update={"panic": stern}).unattended)
    room.panic(0)
    room.take(
        step(room.state, decision(at=50, panic=0.4, calm=0.3, angry=0.3), START + 50, config=room.config)
    )
    assert room.wait(61) == ()
    assert [one.event for one in room.wait(110)] == [E.CLEARED]


def test_silence_while_nothing_is_heard_clears_nothing() -> None:
    room = Room(config=CONFIG.unattended)
    room.panic(0)
    for at in range(1, 500):
        assert room.wait(at, heard=False) == ()
    assert room.wait(558) == ()
    assert [one.event for one in room.wait(560)] == [E.CLEARED]


def test_a_clock_set_back_delays_nothing() -> None:
    room = Room()
    room.panic(10_000)
    assert [one.event for one in room.wait(1)] == []
    assert [one.event for one in room.wait(31)] == [E.UNACKNOWLEDGED]
    assert [one.event for one in room.wait(61)] == [E.LATCHED]


def test_a_restart_changes_nothing_but_the_votes() -> None:
    room = Room()
    room.panic(1)
    room.ack(2)
    room.pause(3, minutes=5)
    room.anger(4)
    story = Story(seq=7, alert_id="a", since=START)
    document = remember(Remembered(room.state, story), features="f")
    again = recall(document, features="f")
    assert again.story == story
    assert remember(again, features="f") == document
    assert tick(again.alarm, START + 70, config=CONFIG)[1][0].event is E.CLEARED


Act = tuple[str, float]


def _acts() -> st.SearchStrategy[list[Act]]:
    kinds = (
        "panic",
        "sure panic",
        "anger",
        "calm",
        "wait",
        "deaf",
        "ack",
        "pause",
        "resume",
        "restart",
        "second",
    )
    return st.lists(st.tuples(st.sampled_from(kinds), st.floats(-20, 100)), max_size=50)


BELIEFS = {
    "panic": {"panic": 0.7, "calm": 0.3},
    "sure panic": {"panic": 0.95, "calm": 0.05},
    "anger": {"angry": 0.8, "calm": 0.2},
    "calm": {"calm": 1.0},
}


def _act(state: AlarmState, kind: str, at: float, config: AlarmConfig) -> Step:
    now = START + at
    unchanged: dict[str, Callable[[], AlarmState]] = {
        "pause": lambda: pause(state, now, for_s=600, by="Ana", config=config),
        "resume": lambda: resume(state, now),
        "restart": lambda: recall(remember(Remembered(state), features="f"), features="f").alarm,
    }
    if kind in BELIEFS:
        return step(state, decision(at=at, **BELIEFS[kind]), now, config=config)
    if kind == "second" and state.votes:
        return amend(state, state.votes[-1].decision, now, config=config)
    if kind == "ack":
        return acknowledge(state, now, by="Ana", config=config)
    if kind in unchanged:
        return unchanged[kind](), ()
    return tick(state, now, config=config, heard=kind != "deaf")


@settings(max_examples=400)
@given(_acts(), st.sampled_from([CONFIG, OFF]))
def test_no_panic_is_ever_lost(acts: list[Act], config: AlarmConfig) -> None:
    """Clocks step back, people acknowledge and pause, the agent restarts: a voted panic is always told."""
    state, at = AlarmState(), 1000.0
    signalled = False
    for kind, later in acts:
        at += later
        before = state
        state, told = _act(state, kind, at, config)
        events = {one.event for one in told if one.level is L.PANIC}
        judged = state.votes[-1].decision if state.votes else None
        if kind in BELIEFS and judged is not None:
            calls = called_for(state.votes, judged, state.votes[-1].at, config=config)
            called = {call.level: call.decision for call in calls}
            if L.PANIC in called and config.panic.enabled:
                assert before.level is L.PANIC or events & {E.RAISED, E.ESCALATED, E.RERAISED}
                assert state.level is L.PANIC
            if L.PANIC in called and not config.panic.enabled:
                once_told = before.suppressed.get(L.PANIC) == called[L.PANIC].segment.heard_at
                assert once_told or E.SUPPRESSED in events
        signalled = (signalled or bool(events & {E.RAISED, E.ESCALATED})) and E.CLEARED not in events
        # Once told, it is open until it is told as cleared.
        assert signalled is (state.alarm is not None and state.alarm.level is L.PANIC)
        if state.alarm and state.alarm.level is L.PANIC and not state.alarm.present:
            assert state.signal is Signal.LATCHED


def test_a_long_downtime_is_told_once() -> None:
    room = Room()
    room.panic(0)
    room.wait(62)
    assert [(one.event, one.step) for one in room.wait(86_400)] == [(E.REMINDER, 97)]
    assert room.wait(86_401) == ()


def test_a_second_verdict_counts_at_the_time_the_voice_was_heard() -> None:
    room = Room()
    room.take(step(room.state, decision(at=0, angry=0.6, panic=0.1, calm=0.3), START, config=CONFIG))
    unsure = decision(at=9, panic=0.45, calm=0.55)
    room.take(step(room.state, unsure, START + 9, config=CONFIG))
    verdict = replace(decision(at=9, panic=0.8, calm=0.2), decided_by=DecidedBy.LLM)
    assert [one.event for one in room.take(amend(room.state, verdict, START + 11.5, config=CONFIG))] == [
        E.ESCALATED
    ]


def test_a_calm_voice_raises_nothing_by_what_was_heard_before() -> None:
    room = Room(config=AlarmConfig())
    room.pause(0, minutes=0.1)
    for at in (1, 2, 3):
        room.anger(at)
    room.wait(7)
    assert room.take(step(room.state, decision(at=8, calm=1.0), START + 8, config=room.config)) == ()


def test_no_audio_is_remembered() -> None:
    room = Room()
    room.panic(0)
    assert room.state.alarm is not None
    kept = [room.state.alarm.decision, *(vote.decision for vote in room.state.votes)]
    assert [len(one.segment.pcm) for one in kept] == [0, 0]
