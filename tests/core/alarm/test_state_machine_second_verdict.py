"""What a reasoner's verdict on an utterance that was already judged does to the alarm."""

from dataclasses import replace

from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.state import AlarmEvent, AlarmState
from vser_stream.core.alarm.state_machine import amend, step
from vser_stream.values import Decision, Label, Probabilities

CONFIG = AlarmConfig()


def second(first: Decision, **probabilities: float) -> Decision:
    belief = Probabilities(**{"calm": 0.0, "angry": 0.0, "panic": 0.0} | probabilities)
    return replace(first, probabilities=belief, label=belief.top)


def test_it_raises_an_alarm_the_first_did_not() -> None:
    unsure = decision(calm=0.2, angry=0.4, panic=0.4, at=0.0)
    state, _ = step(AlarmState(), unsure, START, config=CONFIG)
    state, told = amend(state, second(unsure, panic=1.0), START + 1, config=CONFIG)
    assert [(one.event, one.level) for one in told] == [(AlarmEvent.RAISED, Label.PANIC)]
    assert state.level is Label.PANIC


def test_it_ends_no_alarm_the_first_has_raised() -> None:
    sure = decision(panic=1.0, at=0.0)
    state, _ = step(AlarmState(), sure, START, config=CONFIG)
    state, told = amend(state, second(sure, calm=0.9, panic=0.1), START + 1, config=CONFIG)
    assert [(one.event, one.level) for one in told] == [(AlarmEvent.AMENDED, Label.PANIC)]
    assert state.level is Label.PANIC


def test_an_utterance_judged_twice_counts_once() -> None:
    config = AlarmConfig(
        panic=PanicConfig(distress=5.6, at_least=0.82, fast=0.99),
        angry=AngryConfig(distress=5.6, at_least=0.82),
    )
    first = decision(panic=0.98, calm=0.02, at=0.0)
    state, told = step(AlarmState(), first, START, config=config)
    for after in (1, 2, 3):
        state, more = amend(state, second(first, panic=0.98, calm=0.02), START + after, config=config)
        assert (told, more) == ((), ())


def test_it_raises_what_would_have_been_raised_then_whoever_spoke_since() -> None:
    config = AlarmConfig(panic=PanicConfig(distress=5.5, fast=1.0), angry=AngryConfig(distress=9.0))
    state = AlarmState()
    for at in (0.0, 2.0):
        state, told = step(state, decision(panic=0.985, calm=0.015, at=at), START + at, config=config)
        assert told == ()
    unsure = decision(calm=0.5, panic=0.5, at=4.0)
    state, _ = step(state, unsure, START + 4, config=config)
    state, _ = step(state, decision(calm=1.0, at=9.0), START + 9, config=config)
    state, told = amend(state, second(unsure, panic=0.985, calm=0.015), START + 10, config=config)
    assert [(one.event, one.level) for one in told] == [(AlarmEvent.RAISED, Label.PANIC)]


def test_of_an_utterance_long_forgotten_it_is_nothing() -> None:
    state, told = amend(AlarmState(), decision(panic=1.0, at=0.0), START, config=CONFIG)
    assert (state, told) == (AlarmState(at=START), ())
