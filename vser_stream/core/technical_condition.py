"""A condition below every alarm: something about the equipment, or the room, that somebody should know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Condition", "ConditionName"]


class ConditionName(StrEnum):
    """What can be wrong with a source, or is told of its room."""

    CAPTURE_LOST = "capture_lost"
    DIGITAL_SILENCE = "digital_silence"
    STUCK_VALUE = "stuck_value"
    LEVEL_LOW = "level_low"
    CLIPPING = "clipping"
    MAINS_HUM = "mains_hum"
    SAMPLE_CLOCK = "sample_clock"
    INTERRUPTED = "interrupted"
    ACCESS_DENIED = "access_denied"
    CONFIGURATION = "configuration"
    BROKER_AWAY = "broker_away"
    BROKER_LIMITS = "broker_limits"
    COMMANDS_AWAY = "commands_away"
    SITE_TWICE = "site_twice"
    DISK = "disk"
    BABY_CRY = "baby_cry"


@dataclass(frozen=True, slots=True)
class Condition:
    """It is present; its absence is the absence of this value."""

    name: ConditionName

    priority: Literal["medium", "low"]
    """In IEC 60601-1-8 terms: medium where nothing can be heard, low where it is heard badly."""

    since: float
    """Wall time (s)."""

    reason: str
    """In words, with figures and what to do."""
