from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from support.decisions import START, decision

from vser_stream.core.alarm.state import (
    Acknowledgement,
    Alarm,
    AlarmState,
    Priority,
    Signal,
    priority_of,
)
from vser_stream.values import Label

ALARM = Alarm(
    Label.PANIC,
    present=True,
    decision=decision(panic=0.9, calm=0.1),
    supported_at=START,
    signalled_at=START,
)
TAKEN = Acknowledgement("Ana", START + 600.0)


@pytest.mark.parametrize(
    ("alarm", "signal"),
    [
        (ALARM, Signal.ON),
        (replace(ALARM, present=False), Signal.LATCHED),
        (replace(ALARM, acknowledged=TAKEN), Signal.ACKNOWLEDGED),
        (replace(ALARM, present=False, acknowledged=TAKEN), Signal.ACKNOWLEDGED),
        (None, Signal.OFF),
    ],
)
def test_an_alarm_makes_itself_felt_until_it_is_over_and_somebody_takes_care(
    alarm: Alarm | None, signal: Signal
) -> None:
    assert AlarmState(alarm=alarm).signal is signal
    assert alarm is None or alarm.signal is signal


@pytest.mark.parametrize("level", [Label.ANGRY, Label.PANIC])
def test_the_level_is_that_of_a_condition_that_is_present(level: Label) -> None:
    there = replace(ALARM, level=level)
    assert AlarmState(alarm=there).level is level
    assert AlarmState(alarm=replace(there, acknowledged=TAKEN)).level is level
    assert AlarmState(alarm=replace(there, present=False)).level is Label.CALM, (
        "latched: signalled, not there"
    )


def test_of_a_source_nobody_has_heard_there_is_nothing() -> None:
    state = AlarmState()
    assert (state.level, state.signal, state.votes, state.cleared_at) == (Label.CALM, Signal.OFF, (), {})
    assert not state.room.basis, "a room learns once its model says what thresholds cost"
    assert AlarmState().suppressed is not state.suppressed, "no two sources share what they remember"


@pytest.mark.parametrize(
    ("label", "priority", "word"),
    [
        (Label.PANIC, Priority.HIGH, "high"),
        (Label.ANGRY, Priority.MEDIUM, "medium"),
        (Label.CALM, Priority.NONE, "none"),
    ],
)
def test_a_level_has_its_priority_in_the_words_of_the_standard(
    label: Label, priority: Priority, word: str
) -> None:
    assert priority_of(label) is priority
    assert priority == word


def test_a_state_is_a_value() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(AlarmState(), "at", 1.0)  # noqa: B010 - mypy would not let it be written plainly
