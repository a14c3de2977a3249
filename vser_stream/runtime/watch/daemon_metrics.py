"""What the daemon knows of itself, as figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from vser_stream.adapters.system.prometheus import Reading
from vser_stream.core.alarm.state import AlarmEvent
from vser_stream.core.technical_condition import ConditionName
from vser_stream.core.wire.documents import Health
from vser_stream.ports import SecondLook
from vser_stream.runtime.delivery.delivery import Counters
from vser_stream.runtime.reasoning import escalation
from vser_stream.values import RATE, About, Message, MessageKind

__all__ = [
    "latency_of",
    "readings_of_delivery",
    "readings_of_escalation",
    "readings_of_look",
    "readings_of_source",
]

_NEWS = {AlarmEvent.RAISED, AlarmEvent.ESCALATED}
"""Alerts somebody waits for; the others tell of speech that is long over."""


def latency_of(message: Message, now: float) -> float | None:
    """Time from the end of the speech an alert tells of (s); None where the message is none."""
    match message.about:
        case About(kind=MessageKind.ALERT, event=event, ended_at=float(ended_at)) if event in _NEWS:
            # The clock of this box may have been set back meanwhile: no speech ends in the future.
            return max(0.0, now - ended_at)
        case _:
            return None


def readings_of_source(health: Health, *, heard: bool) -> Iterator[Reading]:
    """How a source is."""
    source = {"source": health.source}
    yield Reading("vser_source_heard", "1 while audio arrives.", heard, source)
    if (age := health.last_sample_age_s) is not None:
        yield Reading("vser_source_last_sample_age_seconds", "Age of the latest sample.", age, source)
    if health.level_db is not None and health.floor_db is not None:
        yield Reading("vser_source_level_db", "Of the latest audio, re full scale.", health.level_db, source)
        yield Reading("vser_source_floor_db", "Noise floor, re full scale.", health.floor_db, source)
    yield Reading(
        "vser_source_dropped_blocks_total",
        "Audio lost because scoring was late.",
        health.dropped_blocks,
        source,
    )
    yield Reading("vser_source_outages_total", "Times the audio stopped.", health.outages, source)
    yield Reading(
        "vser_source_restarts_total", "Failed or lost connections to the source.", health.restarts, source
    )
    yield Reading("vser_source_overruns_total", "Gaps in the audio.", health.overruns, source)
    yield Reading(
        "vser_source_lost_seconds_total",
        "Audio lost, including outages.",
        health.lost_samples / RATE,
        source,
    )
    present = {condition.name for condition in health.conditions}
    for name in ConditionName:
        words = source | {"condition": name}
        yield Reading(
            "vser_source_condition", "1 while this technical condition is present.", name in present, words
        )


def readings_of_delivery(counters: Counters) -> Iterator[Reading]:
    """How messages reach the broker."""
    yield Reading("vser_mqtt_connected", "1 while the broker is connected.", counters.connected)
    yield Reading("vser_mqtt_reconnects_total", "Connections after the first.", counters.reconnects)
    yield Reading("vser_messages_sent_total", "Messages the broker acknowledged.", counters.sent)
    yield Reading(
        "vser_messages_failed_total",
        "Publications not acknowledged; the message stays stored.",
        counters.failed,
    )
    yield Reading("vser_messages_expired_total", "Messages that expired.", counters.expired)
    yield Reading("vser_messages_evicted_total", "Messages dropped: too many waited.", counters.evicted)
    yield Reading("vser_outbox_unsaved_total", "Messages that could not be persisted.", counters.unsaved)
    yield Reading("vser_outbox_depth", "Messages waiting.", counters.depth)
    yield Reading(
        "vser_outbox_oldest_age_seconds", "Age of the oldest waiting message on disk.", counters.oldest
    )


def readings_of_look(look: SecondLook | None) -> Iterator[Reading]:
    """How the second look keeps up."""
    for outcome in ("answered", "late"):
        yield Reading(
            "vser_second_looks_total",
            "Second looks: answered, or too late for an alarm to wait.",
            getattr(look, outcome, 0),
            {"outcome": outcome},
        )


def readings_of_escalation(counters: escalation.Counters) -> Iterator[Reading]:
    """What became of the ambiguous."""
    for outcome in ("answered", "late", "dropped", "over_budget", "unavailable", "failed"):
        yield Reading(
            "vser_escalations_total",
            "Low-confidence utterances: answered by the reasoner, or why the SVM decided.",
            getattr(counters, outcome),
            {"outcome": outcome},
        )
    for kind in ("rationales", "written"):
        yield Reading(
            "vser_rationales_total",
            "Rationales written by the reasoner, or from the cues instead.",
            getattr(counters, kind),
            {"by": "reasoner" if kind == "rationales" else "evidence"},
        )
    yield Reading(
        "vser_reasoner_seconds_total",
        "Response time of the reasoner.",
        counters.label_seconds + counters.rationale_seconds,
    )
    yield Reading("vser_reasoner_restarts_total", "Attempts to restart the reasoner.", counters.restarts)
    yield Reading(
        "vser_escalations_waiting", "Low-confidence utterances waiting for the reasoner.", counters.waiting
    )
