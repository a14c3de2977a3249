"""Which events an alarm would have told, how soon, and what it would have told wrongly.

The alarm stage is run again over recorded decisions, so a threshold costs no listening.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.cusum import rules_of
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Transition
from vser_stream.core.alarm.state_machine import step, tick
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.evaluation.events.homes import Heard
from vser_stream.training.simulation.room import Sound
from vser_stream.training.simulation.scenes import Event
from vser_stream.training.simulation.surroundings import BACKGROUND
from vser_stream.values import FRAME, LABELS, RATE, Decision, Label, SegmentKind

__all__ = ["FalseAlarm", "Told", "Verdict", "alarms", "judge"]

GRACE = 8.0
"""After the end of an event an alarm still counts as told of it (s)."""

_MOMENTS = frozenset({AlarmEvent.RAISED, AlarmEvent.ESCALATED, AlarmEvent.RERAISED})
"""When somebody is called."""

_HALF = 0.5 * FRAME / RATE
"""Half a frame: between the times at which the pipeline looks at its clock (s)."""

Timed = tuple[float, Transition]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one event."""

    answer: Answer
    after: float | None
    """From the first word to an alarm of its level or a higher one; None if there was none (s)."""

    after_any: float | None
    """From the first word to an alarm of any level (s)."""

    as_panic: bool
    """A panic alarm was raised."""

    masked: bool
    """An alarm of its level was already on, so none could be raised."""


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """An alarm while nobody was angry or in panic."""

    level: Label
    at: float
    """From the beginning of the scene (s)."""

    cause: str
    """What was heard most in the segment that raised it: in the room, or else behind it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One home in one mode under one configuration."""

    calm_hours: float
    """Time outside all events (h)."""

    told: tuple[Told, ...]
    false_alarms: tuple[FalseAlarm, ...]


def alarms(decisions: Iterable[tuple[float, Decision]], *, config: AlarmConfig, end: float) -> list[Timed]:
    """Run the alarm stage as the pipeline does, up to ``end`` (s), times to a frame.

    Nobody is there to acknowledge anything, so nothing latches.
    """
    state, timed, config = AlarmState(), [], config.unattended
    for now, decision in decisions:
        state, over = _wait(state, now - _HALF, config)
        timed += over
        if state.level is Label.PANIC and decision.segment.kind is SegmentKind.WINDOW:
            continue  # the pipeline does not look
        state, changes = step(state, decision, now, config=config)
        timed += [(now, change) for change in changes]
    return [*timed, *_wait(state, end, config)[1]]


def judge(heard: Heard, config: AlarmConfig) -> Verdict:
    """Compare the alarms of one home with the truth."""
    timed = alarms(heard.decisions, config=config, end=heard.seconds)
    raised = [(at, it) for at, it in timed if it.event in _MOMENTS]
    return Verdict(
        calm_hours=(heard.seconds - sum(event.end + GRACE - event.start for event in heard.events)) / 3600,
        told=tuple(_told(event, timed, raised) for event in heard.events),
        false_alarms=tuple(
            FalseAlarm(it.level, at, _cause(it.decision, heard.sounds))
            for at, it in raised
            if not any(_during(event, at) for event in heard.events)
        ),
    )


def _wait(state: AlarmState, until: float, config: AlarmConfig) -> tuple[AlarmState, list[Timed]]:
    """Let time pass; only the end of a hold changes anything."""
    if state.alarm is None:
        return state, []
    due = state.alarm.supported_at + rules_of(state.alarm.level, config).hold + _HALF
    if due > until:
        return state, []
    state, over = tick(state, due, config=config)
    return state, [(due, transition) for transition in over]


def _told(event: Event, timed: Sequence[Timed], raised: Sequence[Timed]) -> Told:
    during = [(at - event.start, it.level) for at, it in raised if _during(event, at)]
    own = [after for after, level in during if _rank(level) >= _rank(event.label)]
    return Told(
        answer=event.answer,
        after=min(own, default=None),
        after_any=min((after for after, _ in during), default=None),
        as_panic=any(level is Label.PANIC for _, level in during),
        masked=not own and _rank(_level_at(event.start, timed)) >= _rank(event.label),
    )


def _level_at(time: float, timed: Sequence[Timed]) -> Label:
    """The condition just before ``time``."""
    level = Label.CALM
    for at, transition in timed:
        if at >= time:
            break
        if transition.event is AlarmEvent.CLEARED:
            level = Label.CALM
        elif transition.event in _MOMENTS:
            level = transition.level
    return level


def _during(event: Event, at: float) -> bool:
    return event.start <= at <= event.end + GRACE


def _cause(decision: Decision, sounds: Sequence[Sound]) -> str:
    start, end = decision.segment.onset / RATE, decision.segment.end / RATE
    both = [(min(end, sound.end) - max(start, sound.start), sound) for sound in sounds]
    heard = [(sound.answer is not None, seconds, sound.what) for seconds, sound in both if seconds > 0]
    return max(heard, default=(False, 0.0, BACKGROUND))[2]


def _rank(label: Label) -> int:
    return LABELS.index(label)
