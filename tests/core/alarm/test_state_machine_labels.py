"""An alert's label is what its own probabilities put first, whatever happened to the alarm before."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Transition
from vser_stream.core.alarm.state_machine import Step, acknowledge, amend, pause, step, tick
from vser_stream.core.wire.documents import Alert, Origin, Versions, alert_of
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.values import Decision, Label

AS_SHIPPED = AlarmConfig()
QUICK = AlarmConfig(
    panic=PanicConfig(distress=3.0, at_least=0.5, fast=0.95, hold=20),
    angry=AngryConfig(distress=2.0, at_least=0.5, hold=10, refractory=20, latching=True, escalate_after=(5,)),
)


def alert(transition: Transition) -> Alert:
    return alert_of(
        transition,
        origin=Origin("home", "bed", Versions(package="1", model="m")),
        event_id="e",
        alert_id="a",
        seq=1,
        published_at=START,
    )


def contradictions(told: tuple[Transition, ...]) -> list[Alert]:
    alerts = map(alert, told)
    return [one for one in alerts if one.confidence < max(one.probabilities.model_dump().values())]


TORN = {"panic": 0.67, "angry": 0.328, "calm": 0.002}


def test_enough_distress_for_anger_that_sounds_of_panic_is_a_panic() -> None:
    _, told = step(AlarmState(), decision(at=3, lasts=1.7, **TORN), START + 3, config=AS_SHIPPED)
    assert [(one.event, one.level) for one in told] == [(AlarmEvent.RAISED, Label.PANIC)]
    assert contradictions(told) == []


def test_a_present_anger_escalates_by_distress_of_panic_only() -> None:
    state, (raised,) = step(
        AlarmState(), decision(at=3, lasts=4, angry=0.995, calm=0.005), START + 3, config=AS_SHIPPED
    )
    assert raised.level is Label.ANGRY
    state, told = step(
        state, decision(at=5, lasts=1, panic=0.5, angry=0.45, calm=0.05), START + 5, config=AS_SHIPPED
    )
    assert told == ()
    _, (cleared,) = tick(state, START + 90, config=AS_SHIPPED)
    assert contradictions((cleared,)) == []  # it rests on the anger, not on what was heard last


@st.composite
def decisions(draw: st.DrawFn, at: float) -> Decision:
    weights = [draw(st.integers(0, 100)) for _ in range(3)]
    calm, angry, panic = (weight / max(1, sum(weights)) for weight in weights)
    if not any(weights):
        calm = 1.0
    lasts = draw(st.sampled_from([1.0, 2.0, 4.0]))
    window = draw(st.booleans())
    return decision(
        calm=calm, angry=angry, panic=panic, at=at, lasts=lasts, utterance_at=at - lasts if window else None
    )


ACTS = st.sampled_from(["hear"] * 5 + ["whole", "second", "wait", "ack", "pause", "restart"])


def act(kind: str, state: AlarmState, heard: Decision, now: float, config: AlarmConfig) -> Step:
    if kind == "hear":
        return step(state, heard, now, config=config)
    if kind in {"whole", "second"} and state.votes:
        earlier = state.votes[-1].decision.segment
        again = replace(heard, segment=replace(heard.segment, onset=earlier.onset, heard_at=earlier.heard_at))
        return (step if kind == "whole" else amend)(state, again, now, config=config)
    if kind == "ack":
        return acknowledge(state, now, by="Ana", config=config)
    if kind == "pause":
        return pause(state, now, for_s=30, by="Ana", config=config), ()
    if kind == "restart":
        return recall(remember(Remembered(state), features="f"), features="f").alarm, ()
    return tick(state, now, config=config)


@pytest.mark.parametrize("config", [AS_SHIPPED, QUICK, QUICK.unattended])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_alert_contradicts_itself(config: AlarmConfig, data: st.DataObject) -> None:
    state, at = AlarmState(), 10.0
    for kind in data.draw(st.lists(ACTS, max_size=25)):
        at += data.draw(st.sampled_from([0.5, 2.0, 6.0, 25.0, 400.0]))
        state, told = act(kind, state, data.draw(decisions(at)), START + at, config)
        assert contradictions(told) == []
