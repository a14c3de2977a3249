"""What a reasoner's verdict on an utterance that was already judged does to the alarm."""

from dataclasses import replace

from support.decisions import START, decision

from vser_stream.config import AlarmConfig
from vser_stream.core.alarm import amend, step
from vser_stream.core.alarm_state import AlarmEvent, AlarmState
from vser_stream.values import Decision, Label, Probabilities

CONFIG = AlarmConfig()


def second(first: Decision, **probabilities: float) -> Decision:
    belief = Probabilities(**{"calm": 0.0, "angry": 0.0, "panic": 0.0} | probabilities)
    return replace(first, probabilities=belief, label=belief.top)


def test_it_raises_an_alarm_the_first_did_not() -> None:
    unsure = decision(angry=0.5, panic=0.5, at=0.0)
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


def test_it_is_no_second_vote() -> None:
    state = AlarmState()
    first = decision(panic=0.8, calm=0.2, at=0.0)
    state, told = step(state, first, START, config=CONFIG)
    state, more = amend(state, second(first, panic=0.85, calm=0.15), START + 1, config=CONFIG)
    assert [*told, *more] == []
    assert len(state.votes) == 1


def test_of_an_utterance_long_forgotten_it_is_nothing() -> None:
    state, told = amend(AlarmState(), decision(panic=1.0, at=0.0), START, config=CONFIG)
    assert (state, told) == (AlarmState(), ())
