"""What an alarm system must know after a restart, as a small document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from vser_stream.core.alarm_state import Acknowledgement, Alarm, AlarmState, Pause
from vser_stream.core.report import Story
from vser_stream.values import (
    Cue,
    DecidedBy,
    Decision,
    Label,
    Probabilities,
    RationaleBy,
    Segment,
    SegmentKind,
)

__all__ = ["recall", "remember"]

_OF_SEGMENT = ("kind", "start", "onset", "end", "heard_at", "floor_db")
_OF_DECISION = ("label", "escalated", "decided_by", "rationale", "rationale_by", "rules")


def remember(state: AlarmState, story: Story) -> bytes:
    """Write down the open alarm, the pause, and where the numbering stands; distress begins anew."""
    document = {
        "story": asdict(story),
        "alarm": state.alarm and _alarm(state.alarm),
        "pause": state.pause and asdict(state.pause),
        "cleared_at": state.cleared_at,
        "at": state.at,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def recall(document: bytes) -> tuple[AlarmState, Story]:
    """Read what :func:`remember` wrote.

    Raises:
        ValueError, KeyError, TypeError: It is something else.
    """
    read = json.loads(document)
    state = AlarmState(
        alarm=read["alarm"] and _alarm_from(read["alarm"]),
        pause=read["pause"] and Pause(**read["pause"]),
        cleared_at={Label(label): at for label, at in read["cleared_at"].items()},
        at=read["at"],
    )
    return state, Story(**read["story"])


def _alarm(alarm: Alarm) -> dict[str, Any]:
    decision, segment = alarm.decision, alarm.decision.segment
    told = {
        "segment": {name: getattr(segment, name) for name in _OF_SEGMENT},
        "probabilities": asdict(decision.probabilities),
        "evidence": [asdict(cue) for cue in decision.evidence],
        **{name: getattr(decision, name) for name in _OF_DECISION},
    }
    plain = ("level", "present", "supported_at", "signalled_at", "told", "raised_in", "awaits_end")
    taken = alarm.acknowledged and asdict(alarm.acknowledged)
    return {"decision": told, "acknowledged": taken, **{name: getattr(alarm, name) for name in plain}}


def _alarm_from(read: Mapping[str, Any]) -> Alarm:
    taken = read["acknowledged"]
    changed = {
        "level": Label(read["level"]),
        "decision": _decision_from(read["decision"]),
        "acknowledged": taken and Acknowledgement(**taken),
    }
    return Alarm(**{**read, **changed})


def _decision_from(read: Mapping[str, Any]) -> Decision:
    segment = {**read["segment"], "kind": SegmentKind(read["segment"]["kind"])}
    return Decision(
        segment=Segment(pcm=np.zeros(0, np.int16), **segment),
        label=Label(read["label"]),
        probabilities=Probabilities(**read["probabilities"]),
        escalated=read["escalated"],
        decided_by=DecidedBy(read["decided_by"]),
        rationale=read["rationale"],
        rationale_by=RationaleBy(read["rationale_by"]),
        evidence=tuple(Cue(**cue) for cue in read["evidence"]),
        rules=tuple(read["rules"]),
    )
