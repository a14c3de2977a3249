"""An alert as FHIR R4: what was observed, and that somebody was told.

No code system names what this hears, and nobody knows whose voice it was: the codes are our own,
with text beside them, and the subject is the place. Whoever knows the patient adds the reference.
"""

from __future__ import annotations

from typing import Any

from vser_stream.core.alarm.state import AlarmEvent, Priority
from vser_stream.core.wire.documents import Alert
from vser_stream.values import LABELS, Cue

__all__ = ["bundle_of"]

_CODES = "urn:vser:code"
_UCUM = "http://unitsofmeasure.org"

_URGENCY = {Priority.HIGH: "stat", Priority.MEDIUM: "urgent"}
"""FHIR's request priorities; all others are routine."""


def bundle_of(alert: Alert) -> dict[str, Any]:
    """A collection of one Observation and the Communication about it.

    Returns:
        The JSON object of a Bundle resource.
    """
    document = alert.model_dump(mode="json")
    observed = f"urn:vser:event:{alert.id}:observation"
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": _identifier("event", alert.id),
        "timestamp": document["published_at"],
        "entry": [
            {"fullUrl": observed, "resource": _observation(alert, document)},
            {
                "fullUrl": f"urn:vser:event:{alert.id}:communication",
                "resource": _communication(alert, document, observed),
            },
        ],
    }


def _observation(alert: Alert, document: dict[str, Any]) -> dict[str, Any]:
    whole = alert.event is AlarmEvent.AMENDED
    decided = f"decided by {alert.decided_by}, model {alert.versions.model}"
    return {
        "resourceType": "Observation",
        "identifier": [_identifier("event", alert.id), _identifier("alert", alert.alert_id)],
        "status": "final" if whole else "preliminary",
        "code": _concept("vocal-distress", "How a voice sounds: calm, angry or panic"),
        "subject": _place(alert),
        "effectivePeriod": {"start": document["heard_at"], "end": document["ended_at"]},
        "issued": document["published_at"],
        "valueCodeableConcept": _concept(alert.label, alert.label),
        "note": [{"text": alert.rationale}],
        "method": {"text": decided},
        "device": _device(alert),
        "component": [
            *(_probability(label, getattr(alert.probabilities, label)) for label in LABELS),
            *map(_measurement, alert.evidence),
        ],
    }


def _communication(alert: Alert, document: dict[str, Any], observed: str) -> dict[str, Any]:
    told = f"{alert.event} {alert.label} at {alert.site}/{alert.source}: {alert.reason}. {alert.rationale}"
    alert_category = {
        "system": "http://terminology.hl7.org/CodeSystem/communication-category",
        "code": "alert",
    }
    return {
        "resourceType": "Communication",
        "identifier": [_identifier("event", alert.id), _identifier("alert", alert.alert_id)],
        "status": "completed",
        "category": [{"coding": [alert_category]}],
        "priority": _URGENCY.get(alert.priority, "routine"),
        "topic": _concept(f"alarm-{alert.event}", f"Alarm condition {alert.event}"),
        "about": [{"reference": observed}],
        "sent": document["published_at"],
        "sender": _device(alert),
        "reasonCode": [{"text": alert.reason}],
        "payload": [{"contentString": told}],
    }


def _probability(label: str, value: float) -> dict[str, Any]:
    quantity = {"value": value, "unit": "1", "system": _UCUM, "code": "1"}
    return {"code": _concept(f"probability-{label}", f"Probability of {label}"), "valueQuantity": quantity}


def _measurement(cue: Cue) -> dict[str, Any]:
    baseline = f"calm voice of this source: {cue.baseline:g} {cue.unit}; z {cue.z:+.1f}"
    return {
        "code": _concept(cue.name.replace(" ", "-"), cue.name),
        "valueQuantity": {"value": cue.value, "unit": cue.unit},
        "referenceRange": [{"text": baseline}],
    }


def _concept(code: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": _CODES, "code": code, "display": text}], "text": text}


def _identifier(kind: str, value: str) -> dict[str, str]:
    return {"system": f"urn:vser:{kind}", "value": value}


def _place(alert: Alert) -> dict[str, Any]:
    where = f"{alert.site}/{alert.source}"
    return {"type": "Location", "identifier": _identifier("source", where), "display": where}


def _device(alert: Alert) -> dict[str, Any]:
    name = f"vser-stream {alert.versions.package} at {alert.site}"
    return {"type": "Device", "identifier": _identifier("site", alert.site), "display": name}
