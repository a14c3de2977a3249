"""From decisions to alarm transitions, for one source.

A condition is *raised* when enough recent utterances vote for a level, or when one is sure enough.
It is *escalated* to a higher level at any time, *amended* when the utterance that raised it has
ended and been judged whole, and *cleared* after a time without votes. A level that was just
cleared is not raised again during its refractory time; a higher level is never held back.

The state is a value and the step is a function: ``(state, decision, now) -> state, transitions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from vser_stream.config import AlarmConfig, LevelConfig
from vser_stream.values import LABELS, Decision, Label, SegmentKind

__all__ = ["AlarmEvent", "AlarmState", "Priority", "Transition", "priority_of", "step", "tick"]

_URGENT_FIRST = (Label.PANIC, Label.ANGRY)


class AlarmEvent(StrEnum):
    """What happened to an alarm condition."""

    RAISED = "raised"
    ESCALATED = "escalated"
    AMENDED = "amended"
    CLEARED = "cleared"
    SUPPRESSED = "suppressed"


class Priority(StrEnum):
    """Alarm priority in the words of IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    NONE = "none"


def priority_of(label: Label) -> Priority:
    """Priority of an alarm condition."""
    return {Label.PANIC: Priority.HIGH, Label.ANGRY: Priority.MEDIUM, Label.CALM: Priority.NONE}[label]


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of the alarm condition, with the decision behind it."""

    event: AlarmEvent
    level: Label
    """Level of the condition: what was raised, or what is now over."""

    decision: Decision
    """The decision that caused it; for a clearing, the last one that voted for the level."""

    reason: str
    """Why, for the operator."""


@dataclass(frozen=True, slots=True)
class _Vote:
    at: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Everything an alarm remembers."""

    level: Label = Label.CALM
    """Current condition; calm is none."""

    supported_at: float = 0.0
    """Wall time of the last vote for the current level (s)."""

    supported_by: Decision | None = None

    raised_in: int | None = None
    """Start of the utterance that raised the level by a window and has not ended yet (samples)."""

    cleared_at: dict[Label, float] = field(default_factory=dict)
    """Wall time at which each level was last over (s)."""

    suppressed: int | None = None
    """Start of the utterance whose alarm was last suppressed (samples): told once each."""

    votes: tuple[_Vote, ...] = ()
    """The latest decision of each of the latest utterances, oldest first."""


Step = tuple[AlarmState, tuple[Transition, ...]]


def step(state: AlarmState, decision: Decision, now: float, *, config: AlarmConfig) -> Step:
    """Take a decision made at wall time ``now`` (s)."""
    state = replace(state, votes=_with(state.votes, _Vote(now, decision), config))
    level, reason = _voted(state, now, config)
    state, raised = _raise(state, decision, now, level=level, reason=reason, config=config)
    state, amended = _amend(state, decision)
    if _votes_for(decision, state.level, config):
        state = replace(state, supported_at=now, supported_by=decision)
    return state, (*raised, *amended)


def tick(state: AlarmState, now: float, *, config: AlarmConfig) -> Step:
    """Let time pass: clear what nothing has supported for its hold time."""
    if state.level is Label.CALM or state.supported_by is None:
        return state, ()
    hold = _config_of(state.level, config).hold
    if now - state.supported_at < hold:
        return state, ()
    cleared = Transition(
        AlarmEvent.CLEARED, state.level, state.supported_by, f"no {state.level} heard for {hold:g} s"
    )
    over = {level: now for level in _URGENT_FIRST if _rank(level) <= _rank(state.level)}
    return AlarmState(cleared_at=state.cleared_at | over), (cleared,)


def _with(votes: tuple[_Vote, ...], vote: _Vote, config: AlarmConfig) -> tuple[_Vote, ...]:
    """The latest vote of each utterance: its windows are one misjudgement, not several."""
    start = vote.decision.segment.start
    others = tuple(earlier for earlier in votes if earlier.decision.segment.start != start)
    return (*others, vote)[-max(config.panic.of, config.angry.of) :]


def _raise(
    state: AlarmState, decision: Decision, now: float, *, level: Label, reason: str, config: AlarmConfig
) -> Step:
    if _rank(level) <= _rank(state.level):
        return state, ()
    start = decision.segment.start
    if state.level is Label.CALM and (left := _refractory_left(state, level, now, config)) > 0:
        if state.suppressed == start:
            return state, ()
        why = f"{reason}; held back, the last {level} alarm was cleared less than its refractory time ago"
        why += f" ({left:.0f} s left)"
        return replace(state, suppressed=start), (Transition(AlarmEvent.SUPPRESSED, level, decision, why),)
    event = AlarmEvent.RAISED if state.level is Label.CALM else AlarmEvent.ESCALATED
    by_window = decision.segment.kind is SegmentKind.WINDOW
    state = replace(
        state,
        level=level,
        supported_at=now,
        supported_by=decision,
        raised_in=start if by_window else None,
    )
    return state, (Transition(event, level, decision, reason),)


def _amend(state: AlarmState, decision: Decision) -> Step:
    ended = decision.segment.kind is SegmentKind.UTTERANCE
    if not ended or state.raised_in != decision.segment.start:
        return state, ()
    verdict = "confirmed" if _rank(decision.label) >= _rank(state.level) else "not confirmed"
    amended = Transition(AlarmEvent.AMENDED, state.level, decision, f"{verdict} by the whole utterance")
    return replace(state, raised_in=None), (amended,)


def _voted(state: AlarmState, now: float, config: AlarmConfig) -> tuple[Label, str]:
    """The highest level the latest votes call for, and why."""
    latest = state.votes[-1].decision
    for level in _URGENT_FIRST:
        rules = _config_of(level, config)
        belief = _belief(latest, level)
        if latest.label is level and belief >= rules.fast:
            return level, f"one decision at {belief:.2f}"
        count = sum(_counted(state, level, now, config))
        if count >= rules.votes:
            return level, f"{count} of the last {rules.of} utterances within {rules.within:g} s"
    return Label.CALM, ""


def _counted(state: AlarmState, level: Label, now: float, config: AlarmConfig) -> Iterator[bool]:
    rules = _config_of(level, config)
    for vote in state.votes[-rules.of :]:
        yield now - vote.at <= rules.within and _votes_for(vote.decision, level, config)


def _votes_for(decision: Decision, level: Label, config: AlarmConfig) -> bool:
    """A decision votes for its own level and the ones below: a panic is no evidence against anger."""
    if level is Label.CALM or _rank(decision.label) < _rank(level):
        return False
    return _belief(decision, level) >= _config_of(level, config).at_least


def _belief(decision: Decision, level: Label) -> float:
    """Probability of this level or a higher one."""
    return sum(decision.probabilities.of(label) for label in LABELS if _rank(label) >= _rank(level))


def _refractory_left(state: AlarmState, level: Label, now: float, config: AlarmConfig) -> float:
    cleared_at = state.cleared_at.get(level)
    return 0.0 if cleared_at is None else cleared_at + _config_of(level, config).refractory - now


def _config_of(level: Label, config: AlarmConfig) -> LevelConfig:
    return config.panic if level is Label.PANIC else config.angry


def _rank(label: Label) -> int:
    return LABELS.index(label)
