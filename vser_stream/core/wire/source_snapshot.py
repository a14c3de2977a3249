"""What a source must know after a restart, as one small document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vser_stream.core.alarm.room_adaptation import BINS, MOST_ALARMS, MOST_WAITING, Room, Stretch
from vser_stream.core.alarm.state import Acknowledgement, Alarm, AlarmState, Pause
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.scoring.feature_identity import known_as
from vser_stream.core.wire import strict_json
from vser_stream.core.wire.decision import cue_fields, decision_from, fields_of
from vser_stream.core.wire.numbering import Story
from vser_stream.values import (
    Cue,
    Decision,
    Label,
    Segment,
    SegmentKind,
)

__all__ = ["SCHEMA", "Remembered", "recall", "remember"]

SCHEMA = "vser.memory/1"
"""Another one is another step of the database's schema (adapters.schema), which brings older rows here."""

_END_OF_TIME = 4e9
"""The year 2096 (Unix s)."""

_SLACK = 60.0
"""Times of one look differ by less (s)."""

_LONGEST = 400 * 86_400.0
"""No pause or acknowledgement is longer than a year (s)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]

_OF_SEGMENT = ("kind", "start", "onset", "end", "heard_at", "floor_db")


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
        "room": _room(state.room) if state.room.basis else None,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def recall(document: bytes, *, features: str) -> Remembered:
    """Read what :func:`remember` wrote.

    Raises:
        ValueError: It is something else, perhaps by one bit; said in one line.
    """
    try:
        read = strict_json.loads(document)
        _Document.model_validate_json(document)
        return _recall(read, features)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise ValueError(f"it was changed ({exc!r})") from exc


def _recall(read: dict[str, Any], features: str) -> Remembered:
    if read["schema"] != SCHEMA:
        raise ValueError(f"schema {read['schema']!r}, not {SCHEMA}")
    state = AlarmState(
        alarm=read["alarm"] and _alarm_from(read["alarm"]),
        pause=read["pause"] and Pause(**read["pause"]),
        cleared_at={Label(label): at for label, at in read["cleared_at"].items()},
        room=_room_from(room) if (room := read.get("room")) else Room(),
        at=read["at"],
    )
    _check_times(state)
    kept = read["baseline"]
    usable = kept is not None and known_as(kept["features"]) == features
    return Remembered(
        alarm=state,
        story=Story(**read["story"]),
        baseline=Baseline.from_lists(kept["calm"]) if usable else None,
        outdated=kept is not None and not usable,
    )


def _without_word(cue: Any) -> Any:
    """A cue that was written down had its word beside the distance it is for."""
    return {name: value for name, value in cue.items() if name != "word"} if isinstance(cue, dict) else cue


class _Section(BaseModel):
    model_config = ConfigDict(strict=True)


class _Segment(_Section):
    kind: str
    start: int
    onset: int
    end: int
    heard_at: float
    floor_db: float


class _Decision(_Section):
    segment: _Segment
    label: str
    probabilities: dict[str, Share]
    parts: dict[str, Share] | None = None
    escalated: bool
    decided_by: str
    rationale: str
    rationale_by: str
    evidence: list[Annotated[Cue, BeforeValidator(_without_word)]]
    rules: list[str]


class _Alarm(_Section):
    decision: _Decision
    acknowledged: Acknowledgement | None
    level: str
    present: bool
    supported_at: float
    signalled_at: float
    told: Annotated[int, Field(ge=0)]
    raised_in: float
    awaits_end: bool


_Level = Literal["panic", "angry"]
_Days = Annotated[float, Field(ge=0.0, le=1e6)]
_Count = Annotated[float, Field(ge=0.0, le=1e6)]


class _Stretch(_Section):
    peaks: dict[_Level, Annotated[float, Field(ge=0.0, le=1e6)]]
    alarms: Annotated[list[str], Field(max_length=MOST_ALARMS)]
    over_at: _Days
    goes_on: bool
    true: bool


class _Room(_Section):
    basis: str
    heard: _Days
    voice_at: _Days
    days: _Days
    counts: dict[_Level, Annotated[list[_Count], Field(min_length=BINS, max_length=BINS)]]
    now: _Stretch | None
    waiting: Annotated[list[_Stretch], Field(max_length=MOST_WAITING)]


class _Document(_Section):
    """The types of what was written; the values of its words are checked where they are taken."""

    schema_: Annotated[str, Field(alias="schema")]
    story: Story
    alarm: _Alarm | None
    pause: Pause | None
    cleared_at: dict[str, float]
    at: float
    baseline: dict[str, Any] | None
    room: _Room | None = None
    """None in what was written before there was one."""


def _check_times(state: AlarmState) -> None:
    """A bit can turn a time into one of another century, and hold back alarms until then.

    Raises:
        ValueError: One is later than could be.
    """
    alarm, pause = state.alarm, state.pause
    past = [*state.cleared_at.values()]
    past += [pause.since] if pause else []
    past += [alarm.supported_at, alarm.signalled_at, alarm.raised_in] if alarm else []
    future = [pause.until] if pause else []
    future += [alarm.acknowledged.until] if alarm and alarm.acknowledged else []
    if not 0.0 <= state.at < _END_OF_TIME or max(past, default=0.0) > state.at + _SLACK:
        raise ValueError("a time is later than the last one")
    if max(future, default=0.0) > state.at + _LONGEST:
        raise ValueError("a pause or an acknowledgement is longer than there are")


_OF_ROOM = ("basis", "heard", "voice_at", "days")


def _room(room: Room) -> dict[str, Any]:
    plain = {name: getattr(room, name) for name in _OF_ROOM}
    counts = {level: [round(count, 4) for count in row] for level, row in room.counts.items()}
    waiting = [asdict(stretch) for stretch in room.waiting]
    return plain | {"counts": counts, "now": room.now and asdict(room.now), "waiting": waiting}


def _room_from(read: Mapping[str, Any]) -> Room:
    room = Room(
        **{name: read[name] for name in _OF_ROOM},
        counts={Label(level): tuple(row) for level, row in read["counts"].items()},
        now=read["now"] and _stretch_from(read["now"]),
        waiting=tuple(map(_stretch_from, read["waiting"])),
    )
    if room.heard < max(room.voice_at, room.days, *(stretch.over_at for stretch in room.waiting)):
        raise ValueError("a room has shown more than was heard of it")
    return room


def _stretch_from(read: Mapping[str, Any]) -> Stretch:
    peaks = {Label(level): peak for level, peak in read["peaks"].items()}
    return Stretch(**{**read, "peaks": peaks, "alarms": tuple(read["alarms"])})


def _alarm(alarm: Alarm) -> dict[str, Any]:
    told, segment = fields_of(alarm.decision), alarm.decision.segment
    decision = {
        **{name: value for name, value in told.items() if name in _Decision.model_fields},
        "segment": {name: getattr(segment, name) for name in _OF_SEGMENT},
        "evidence": [cue_fields(cue) | {"word": cue.word} for cue in alarm.decision.evidence],
    }
    plain = ("level", "present", "supported_at", "signalled_at", "told", "raised_in", "awaits_end")
    taken = alarm.acknowledged and asdict(alarm.acknowledged)
    return {"decision": decision, "acknowledged": taken, **{name: getattr(alarm, name) for name in plain}}


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
    return decision_from(read, Segment(pcm=np.zeros(0, np.int16), **segment))
