"""What an alarm system remembers and tells, in IEC 60601-1-8 terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from vser_stream.core.alarm.cusum import Vote
from vser_stream.core.alarm.room_adaptation import Room
from vser_stream.values import Decision, Label

__all__ = [
    "Acknowledgement",
    "Alarm",
    "AlarmEvent",
    "AlarmState",
    "Pause",
    "Priority",
    "Signal",
    "Transition",
    "priority_of",
]


class AlarmEvent(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    ESCALATED = "escalated"
    AMENDED = "amended"
    CLEARED = "cleared"
    SUPPRESSED = "suppressed"
    LATCHED = "latched"
    RERAISED = "reraised"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    REMINDER = "reminder"


class Signal(StrEnum):
    """How an alarm makes itself felt."""

    OFF = "off"
    ON = "on"
    LATCHED = "latched"
    ACKNOWLEDGED = "acknowledged"


class Priority(StrEnum):
    """Alarm priority in IEC 60601-1-8 terms."""

    HIGH = "high"
    MEDIUM = "medium"
    NONE = "none"


def priority_of(label: Label) -> Priority:
    """Priority of an alarm condition."""
    return {Label.PANIC: Priority.HIGH, Label.ANGRY: Priority.MEDIUM, Label.CALM: Priority.NONE}[label]


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of an alarm, with the decision behind it."""

    event: AlarmEvent
    level: Label
    """Level of the alarm: what was raised, or what is now over."""

    decision: Decision
    """The decision that caused it; where time or a person did, the last one that supported the level."""

    reason: str
    """Why, for the operator."""

    by: str | None = None
    """Who did it."""

    until: float | None = None
    """Wall time until which it holds (s)."""

    step: int | None = None
    """How often nobody has answered."""

    heard: bool = False
    """The decision is news: the voice was judged just now, not by time or a person later."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody takes care."""

    by: str
    until: float
    """Wall time (s)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing below panic is raised for a while."""

    by: str
    since: float
    """Wall time (s)."""

    until: float
    """Wall time (s)."""

    ending: bool = False
    """It soon ends: the reminder."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The open alarm of a source."""

    level: Label
    present: bool
    """Still supported; otherwise it is latched."""

    decision: Decision
    """The last one that supported it, without its audio."""

    supported_at: float
    """Wall time of that (s)."""

    signalled_at: float
    """Wall time since which an answer is waited for (s)."""

    told: int = 0
    """Steps and reminders since then."""

    raised_in: float = 0.0
    """The utterance that raised it: wall time of its onset (s)."""

    awaits_end: bool = False
    """It was raised by a window, and that utterance has not ended yet."""

    acknowledged: Acknowledgement | None = None

    @property
    def signal(self) -> Signal:
        """How it makes itself felt."""
        if self.acknowledged:
            return Signal.ACKNOWLEDGED
        return Signal.ON if self.present else Signal.LATCHED


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Everything an alarm system remembers of one source."""

    alarm: Alarm | None = None
    pause: Pause | None = None

    cleared_at: dict[Label, float] = field(default_factory=dict)
    """Wall time at which each level was last over (s)."""

    suppressed: dict[Label, float] = field(default_factory=dict)
    """The utterance last published as suppressed, for each level: wall time of its onset (s)."""

    votes: tuple[Vote, ...] = ()
    """The latest decision of each of the latest utterances, oldest first."""

    room: Room = field(default_factory=Room)
    """What distress reaches here by itself."""

    at: float = 0.0
    """Wall time of the last step (s)."""

    @property
    def level(self) -> Label:
        """The condition that is present; calm is none."""
        return self.alarm.level if self.alarm and self.alarm.present else Label.CALM

    @property
    def signal(self) -> Signal:
        """How the open alarm makes itself felt."""
        return self.alarm.signal if self.alarm else Signal.OFF
