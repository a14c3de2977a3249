"""What a source must know after a restart, as one small document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vser_stream.core.alarm_state import Acknowledgement, Alarm, AlarmState, Pause
from vser_stream.core.baseline import Baseline
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

__all__ = ["SCHEMA", "Remembered", "recall", "remember"]

SCHEMA = "vser.memory/1"
"""Another one is another step of the database's schema (adapters.schema), which brings older rows here."""

_OF_SEGMENT = ("kind", "start", "onset", "end", "heard_at", "floor_db")
_OF_DECISION = ("label", "escalated", "decided_by", "rationale", "rationale_by", "rules")


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """All that is kept of a source: its alarm, its numbering and its calm voice go together."""

    alarm: AlarmState = field(default_factory=AlarmState)
    story: Story = field(default_factory=Story)
    baseline: Baseline | None = None
    """None where it has not moved from the population's."""

    outdated: bool = False
    """There was a baseline, of other features: of no use here."""


def remember(remembered: Remembered, *, features: str) -> bytes:
    """Write it down; distress begins anew, and audio was never in it.

    Args:
        remembered: Of one source.
        features: Digest of those the baseline is of.
    """
    state, baseline = remembered.alarm, remembered.baseline
    document = {
        "schema": SCHEMA,
        "story": asdict(remembered.story),
        "alarm": state.alarm and _alarm(state.alarm),
        "pause": state.pause and asdict(state.pause),
        "cleared_at": state.cleared_at,
        "at": state.at,
        "baseline": baseline and {"features": features, "calm": baseline.to_lists()},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def recall(document: bytes, *, features: str) -> Remembered:
    """Read what :func:`remember` wrote.

    Raises:
        ValueError, KeyError, TypeError: It is something else.
    """
    read = json.loads(document)
    if read["schema"] != SCHEMA:
        raise ValueError(f"schema {read['schema']!r}, not {SCHEMA}")
    state = AlarmState(
        alarm=read["alarm"] and _alarm_from(read["alarm"]),
        pause=read["pause"] and Pause(**read["pause"]),
        cleared_at={Label(label): at for label, at in read["cleared_at"].items()},
        at=read["at"],
    )
    kept = read["baseline"]
    usable = kept is not None and kept["features"] == features
    return Remembered(
        alarm=state,
        story=Story(**read["story"]),
        baseline=Baseline.from_lists(kept["calm"]) if usable else None,
        outdated=kept is not None and not usable,
    )


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
