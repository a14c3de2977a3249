"""The documents subscribers read.

Field names are a contract: within ``/1`` fields are only added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vser_stream.core.alarm.room_adaptation import Threshold
from vser_stream.core.alarm.state import AlarmEvent, Priority, Signal, Transition, priority_of
from vser_stream.core.audio.capture_state import CaptureState, CaptureTransition
from vser_stream.core.audio.quality import quality_of
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire import topics
from vser_stream.core.wire.decision import fields_of
from vser_stream.values import (
    RATE,
    About,
    Cue,
    DecidedBy,
    Decision,
    Label,
    Message,
    MessageKind,
    RationaleBy,
    Urgency,
)

__all__ = [
    "DOCUMENTS",
    "Alert",
    "CaptureState",
    "Health",
    "SiteStatus",
    "State",
    "Utterance",
    "Versions",
    "alert_of",
    "health_lasts",
    "in_brief",
    "message_of",
    "status_message",
    "thresholds_told",
    "told_late",
    "utterance_of",
]

Share = Annotated[float, Field(ge=0, le=1)]

SHARE_DIGITS = 4
"""Of a probability, in what is published."""

LATE_S = 10.0
"""An alert told later than this after it happened is history, not news (s)."""

HEALTH_LASTS = 3
"""Intervals after which a health message that nobody renewed says nothing."""

BRIEF_WORDS = 100
"""Of a reason, where the broker takes small packets only (characters)."""


class Document(BaseModel):
    """A closed, frozen JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True)


class Distribution(Document):
    """Calibrated probability of each label."""

    calm: Share
    angry: Share
    panic: Share


class Parts(Document):
    """What calm and panic are made of, where the model tells."""

    other: Share = Field(description="of calm: lively speech, laughter, any harmless sound")
    wordless: Share = Field(description="of panic: distress without words, such as a scream")


class Versions(Document):
    """What made the decision."""

    package: str
    model: str
    rules: str | None = None
    reasoner: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose document it is."""

    site: str
    source: str
    versions: Versions
    """Of what decides there."""


class Alert(Document):
    """One transition of an alarm condition."""

    schema_: Literal["vser.alert/1"] = Field("vser.alert/1", alias="schema")
    id: str = Field(description="unique for this event; deduplicate by it")
    alert_id: str = Field(description="the same for all transitions of one condition")
    seq: int = Field(ge=1, description="counts the alert documents of this source")
    event: AlarmEvent
    site: str
    source: str
    label: Label
    priority: Priority = Field(description="IEC 60601-1-8 terms")
    probabilities: Distribution
    confidence: Share = Field(description="calibrated probability of label")
    decided_by: DecidedBy
    reason: str = Field(description="why the condition changed")
    rationale: str = Field(description="why the voice was classified so")
    evidence: tuple[Cue, ...]
    rules: tuple[str, ...]
    heard_at: AwareDatetime = Field(description="onset of the speech")
    ended_at: AwareDatetime = Field(description="end of the speech that was classified")
    published_at: AwareDatetime = Field(description="when the decision was handed to delivery")
    latency_ms: float | None = Field(
        ge=0, description="from ended_at to published_at; null where time or a person caused the event"
    )
    versions: Versions
    rationale_by: RationaleBy = Field(RationaleBy.EVIDENCE, description="who put the reasons into words")
    late: bool = Field(
        default=False, description="delivered more than 10 s after published_at, after an outage"
    )
    by: str | None = Field(None, description="who acknowledged it, as they say; not authenticated")
    until: AwareDatetime | None = Field(None, description="how long the acknowledgement lasts")
    step: int | None = Field(None, description="notifications so far that nobody acknowledged")
    parts: Parts | None = Field(None, description="what calm and panic are made of, if the model says so")


class Utterance(Document):
    """One scored utterance."""

    schema_: Literal["vser.utterance/1"] = Field("vser.utterance/1", alias="schema")
    site: str
    source: str
    label: Label
    probabilities: Distribution
    confidence: Share
    decided_by: DecidedBy
    escalated: bool
    rationale: str
    evidence: tuple[Cue, ...]
    rules: tuple[str, ...]
    start_s: float = Field(description="onset of speech since the source opened (s)")
    end_s: float
    heard_at: AwareDatetime
    ended_at: AwareDatetime
    snr_db: float | None = Field(None, description="level of the speech over the noise floor")
    clipped: Share | None = Field(None, description="share of the speech at full scale")
    rationale_by: RationaleBy = Field(RationaleBy.EVIDENCE, description="who put the reasons into words")
    parts: Parts | None = Field(None, description="what calm and panic are made of, if the model says so")


class Paused(Document):
    """Nothing below panic is raised for a while."""

    by: str
    until: AwareDatetime
    ending: bool = Field(description="the last fifth has begun: time to resume or to pause anew")


class State(Document):
    """Current alarm condition of a source, for whoever subscribes late."""

    schema_: Literal["vser.state/1"] = Field("vser.state/1", alias="schema")
    site: str
    source: str
    condition: Label = Field(description="of the open alarm, a latched one too; calm means none")
    present: bool = Field(default=False, description="whether the condition is still present")
    priority: Priority
    signal: Signal = Field(description="latched: over, but not yet acknowledged")
    alert_id: str | None
    since: AwareDatetime | None
    acknowledged_by: str | None = None
    paused: Paused | None = None
    label: Label | None = Field(
        description="of the voice classified last, as published in an alert or utterance"
    )
    confidence: Share | None = Field(None, description="calibrated probability of that label")
    rationale: str | None = Field(None, description="why that voice was classified so")
    seq: int = Field(ge=0)
    updated_at: AwareDatetime


class CaptureChange(Document):
    """One change of the capture state."""

    from_: CaptureState = Field(alias="from")
    to: CaptureState
    at: AwareDatetime
    reason: str | None


class TechnicalCondition(Document):
    """Something about the equipment that somebody should know."""

    name: ConditionName
    priority: Literal["medium", "low"] = Field(description="IEC 60601-1-8 terms")
    since: AwareDatetime
    reason: str


class AlarmThreshold(Document):
    """From where on a level is raised by what adds up."""

    level: Label
    distress: float = Field(description="threshold in force")
    usual: float = Field(description="threshold without adaptation to the room")
    reason: str = Field(description="why, for people")


class Health(Document):
    """Whether a source is heard, and how well."""

    schema_: Literal["vser.health/1"] = Field("vser.health/1", alias="schema")
    site: str
    source: str
    capture: CaptureState
    reason: str | None = Field(description="why capture is not running")
    last_sample_age_s: float | None = Field(description="null before the first sample")
    level_db: float | None = Field(description="of the latest audio, dB re full scale")
    floor_db: float | None = Field(description="noise floor, dB re full scale")
    restarts: int = Field(description="openings that failed or were lost")
    gaps: int
    dropped_blocks: int = Field(description="audio lost because scoring was late")
    utterances: int
    rejected: int = Field(description="utterances not classified: no voice, too noisy, or clipped")
    baseline_utterances: int = Field(description="calm utterances the baseline has learned from")
    updated_at: AwareDatetime
    conditions: tuple[TechnicalCondition, ...] = Field((), description="what is wrong now")
    conditions_raised: int = Field(0, description="technical conditions so far")
    transitions: tuple[CaptureChange, ...] = Field((), description="latest changes of capture, oldest first")
    outages: int = Field(0, description="times the audio stopped")
    lost_samples: int = Field(0, description="audio lost so far, in outages too, at 16 kHz")
    overruns: int = Field(0, description="times audio was lost although the source stayed open")
    drift_ppm: float | None = Field(None, description="how much the source's clock is fast")
    abandoned_readers: int = Field(0, description="readers left behind because they hung")
    clipped: Share | None = Field(None, description="share of the latest second at full scale")
    hum: Share | None = Field(None, description="share of the latest second's power that is mains hum")
    signal: Signal = Field(Signal.OFF, description="of the open alarm, which does not end with the audio")
    expires_at: AwareDatetime | None = Field(None, description="says nothing later, unless renewed before")
    thresholds: tuple[AlarmThreshold, ...] = Field((), description="of its alarms, the most urgent first")


class SiteStatus(StrEnum):
    """Payload of the status topic."""

    ONLINE = "online"
    STOPPED = "stopped"
    OFFLINE = "offline"


DOCUMENTS: Mapping[MessageKind, type[Document]] = {
    MessageKind.ALERT: Alert,
    MessageKind.UTTERANCE: Utterance,
    MessageKind.STATE: State,
    MessageKind.HEALTH: Health,
}

_KINDS = {model: kind for kind, model in DOCUMENTS.items()}


def utc(seconds: float) -> datetime:
    """Unix time as UTC, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def _told(model: type[Document], decision: Decision) -> dict[str, Any]:
    """What documents of one kind have a place for."""
    told = fields_of(decision, digits=SHARE_DIGITS)
    told |= {name: utc(told[name]) for name in ("heard_at", "ended_at")}
    return {name: value for name, value in told.items() if name in model.model_fields}


def alert_of(
    transition: Transition,
    *,
    origin: Origin,
    event_id: str,
    alert_id: str,
    seq: int,
    published_at: float,
) -> Alert:
    """The document of one transition, published at ``published_at`` (Unix s)."""
    decision = transition.decision
    label = decision.label if transition.event is AlarmEvent.AMENDED else transition.level
    # A source's clock is not ours: speech never ends after it was judged.
    latency = max(0.0, published_at - decision.segment.ended_at)
    return Alert(
        **_told(Alert, decision) | {"label": label},
        id=event_id,
        alert_id=alert_id,
        seq=seq,
        event=transition.event,
        site=origin.site,
        source=origin.source,
        priority=priority_of(transition.level),
        confidence=round(decision.probabilities.of(label), SHARE_DIGITS),
        reason=transition.reason,
        published_at=utc(published_at),
        latency_ms=round(latency * 1000, 1) if transition.heard else None,
        versions=origin.versions,
        by=transition.by,
        until=None if transition.until is None else utc(transition.until),
        step=transition.step,
    )


def judgement_of(decision: Decision) -> dict[str, object]:
    """What the state tells of the last judged utterance besides its label."""
    return {"confidence": round(decision.confidence, SHARE_DIGITS), "rationale": decision.rationale}


def utterance_of(decision: Decision, *, site: str, source: str) -> Utterance:
    """The document of one judged utterance."""
    segment, quality = decision.segment, quality_of(decision.segment)
    return Utterance(
        **_told(Utterance, decision),
        site=site,
        source=source,
        confidence=round(decision.confidence, SHARE_DIGITS),
        start_s=round(segment.onset / RATE, 3),
        end_s=round(segment.end / RATE, 3),
        snr_db=round(quality.snr_db, 1),
        clipped=round(quality.clipped, 4),
    )


def conditions_of(conditions: Iterable[Condition]) -> tuple[TechnicalCondition, ...]:
    """Technical conditions for the health document."""
    return tuple(
        TechnicalCondition(name=one.name, priority=one.priority, since=utc(one.since), reason=one.reason)
        for one in conditions
    )


def thresholds_told(thresholds: Iterable[Threshold]) -> tuple[AlarmThreshold, ...]:
    """Thresholds of the alarm for the health document."""
    return tuple(
        AlarmThreshold(
            level=it.level, distress=round(it.distress, 2), usual=round(it.usual, 2), reason=it.reason
        )
        for it in thresholds
    )


def changes_of(transitions: Iterable[CaptureTransition]) -> tuple[CaptureChange, ...]:
    """Changes of the capture state for the health document."""
    return tuple(
        CaptureChange(from_=one.before, to=one.after, at=utc(one.at), reason=one.reason)
        for one in transitions
    )


def message_of(document: Alert | Utterance | State | Health, message_id: str) -> Message:
    """Put a document on its topic, with the delivery its kind deserves."""
    kind = _KINDS[type(document)]
    qos, retain = topics.PUBLISHED[kind]
    return Message(
        topic=topics.document(document.site, document.source, kind),
        payload=document.model_dump_json().encode(),
        qos=qos,
        retain=retain,
        id=message_id,
        priority=_urgency_of(document),
        expires_at=document.expires_at.timestamp()
        if isinstance(document, Health) and document.expires_at
        else None,
        about=_about(document, kind),
    )


def _about(document: Alert | Utterance | State | Health, kind: MessageKind) -> About:
    about = partial(About, kind, document.site, document.source)
    match document:
        case Alert():
            return about(
                event=document.event,
                alert_id=document.alert_id,
                made_at=document.published_at.timestamp(),
                ended_at=document.ended_at.timestamp(),
            )
        case Utterance():
            return about(ended_at=document.ended_at.timestamp())
        case State():
            return about(alert_id=document.alert_id, made_at=document.updated_at.timestamp())
        case Health():
            return about(made_at=document.updated_at.timestamp())


def _urgency_of(document: Alert | Utterance | State | Health) -> Urgency:
    match document:
        case Alert(priority=Priority.HIGH):
            return Urgency.PANIC
        case Alert():
            return Urgency.ALARM
        case State():
            return Urgency.CURRENT
        case _:
            return Urgency.ROUTINE


def status_message(site: str, status: SiteStatus, message_id: str) -> Message:
    """The retained word on the whole agent."""
    qos, retain = topics.PUBLISHED[MessageKind.STATUS]
    return Message(
        topic=topics.status(site),
        payload=status.value.encode(),
        qos=qos,
        retain=retain,
        id=message_id,
        priority=Urgency.CURRENT,
        about=About(MessageKind.STATUS, site),
    )


def health_lasts(every: float) -> float:
    """How long a health message says something, where one comes each ``every`` (s)."""
    return HEALTH_LASTS * every


def told_late(message: Message, now: float) -> Message:
    """Mark an alert that is told long after it happened; nothing else of it changes.

    One that a disk has damaged is told as it is.
    """
    match message.about:
        case About(kind=MessageKind.ALERT, made_at=float(made_at)) if now - made_at > LATE_S:
            document = _read(message.payload)
        case _:
            return message
    if document is None:
        return message
    late = json.dumps(document | {"late": True}, separators=(",", ":"), ensure_ascii=False)
    return replace(message, payload=late.encode())


def in_brief(message: Message) -> Message | None:
    """The same document without what takes most room, for a broker of small packets.

    It stays valid: lists are empty and words are cut, nothing else changes. None where nothing is shorter,
    or a disk has damaged it.
    """
    document = _read(message.payload)
    if document is None:
        return None
    shorter: dict[str, object] = {
        name: [] for name in ("evidence", "rules", "transitions") if document.get(name)
    }
    words = {
        name: f"{said[:BRIEF_WORDS]}..."
        for name in ("reason", "rationale")
        if isinstance(said := document.get(name), str) and len(said) > BRIEF_WORDS
    }
    if not (shorter or words) or "schema" not in document:
        return None
    brief = json.dumps(document | shorter | words, separators=(",", ":"), ensure_ascii=False)
    return replace(message, payload=brief.encode())


def _read(payload: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
