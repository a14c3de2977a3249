"""How Home Assistant learns of a site and its sources: one retained document for all of them.

Home Assistant (2024.11 or newer) makes one device of it, with entities for each source. It reads
a payload only through the templates given here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from vser_stream.core.alarm_state import AlarmEvent
from vser_stream.core.capture_state import CaptureState
from vser_stream.core.messages import HEALTH_EXPIRES_S, SiteStatus
from vser_stream.values import LABELS, Message

__all__ = ["discovery_message", "discovery_topic"]

PAUSE_MINUTES = 10
"""What the pause button asks for (min)."""

_PLATFORMS = {
    "alert": "event",
    "alarm": "sensor",
    "voice": "sensor",
    "confidence": "sensor",
    "level": "sensor",
    "capture": "sensor",
    "problem": "binary_sensor",
    "ack": "button",
    "pause": "button",
    "resume": "button",
}
"""Platform of each entity of a source."""

_ALERT = """{{ {
 'event_type': value_json.event, 'label': value_json.label, 'priority': value_json.priority,
 'confidence': value_json.confidence, 'reason': value_json.reason, 'rationale': value_json.rationale,
 'heard_at': value_json.heard_at, 'alert_id': value_json.alert_id } | tojson }}"""
_CONFIDENCE = "{{ none if value_json.confidence is none else (value_json.confidence * 100) | round(1) }}"
_RATIONALE = "{{ {'rationale': value_json.rationale, 'updated_at': value_json.updated_at} | tojson }}"
_REASONS = "{{ {'reasons': value_json.conditions | map(attribute='reason') | list} | tojson }}"


def discovery_topic(site: str, *, prefix: str) -> str:
    """Where the document of a site is; the site is the id of the device."""
    return f"{prefix}/device/{site}/config"


def discovery_message(
    site: str,
    sources: Iterable[str],
    *,
    removed: Collection[str] = (),
    prefix: str,
    version: str,
    message_id: str,
) -> Message:
    """The discovery document.

    Args:
        site: Of the agent.
        sources: Names of those that are listened to.
        removed: Names of earlier ones: an entity only goes when it is told to.
        prefix: Home Assistant's discovery prefix.
        version: Of this package.
        message_id: Unique.
    """
    components = {"listening": _listening(site)}
    for source in sources:
        components |= {f"{source}_{what}": one for what, one in _entities(site, source).items()}
    for source in removed:
        components |= {f"{source}_{what}": {"platform": one} for what, one in _PLATFORMS.items()}
    document = {
        "device": {
            "identifiers": [f"vser-{site}"],
            "name": f"vser {site}",
            "manufacturer": "vser-stream",
            "model": "Vocal distress monitor",
            "sw_version": version,
        },
        "origin": {"name": "vser-stream", "sw_version": version},
        "components": components,
    }
    return Message(
        topic=discovery_topic(site, prefix=prefix),
        payload=json.dumps(document, separators=(",", ":")).encode(),
        qos=1,
        retain=True,
        id=message_id,
    )


def _listening(site: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "unique_id": f"vser-{site}-listening",
        "name": "listening",
        "device_class": "connectivity",
        "state_topic": f"vser/v1/{site}/status",
        "value_template": f"{{{{ 'ON' if value == '{SiteStatus.ONLINE}' else 'OFF' }}}}",
    }


def _entities(site: str, source: str) -> dict[str, dict[str, Any]]:
    details = _alarm(site, source) | _health(site, source) | _buttons(site, source)
    return {
        what: {
            "platform": platform,
            "unique_id": f"vser-{site}-{source}-{what}",
            "name": f"{source} {what}",
            **details[what],
        }
        for what, platform in _PLATFORMS.items()
    }


def _alarm(site: str, source: str) -> dict[str, dict[str, Any]]:
    """What the voice sounds like; unavailable while nobody listens, so that calm is never old news."""
    topic = f"vser/v1/{site}/{source}"
    labels = {"device_class": "enum", "options": [str(label) for label in LABELS]}
    online = f"{{{{ 'online' if value == '{SiteStatus.ONLINE}' else 'offline' }}}}"
    listened = {"availability": [{"topic": f"vser/v1/{site}/status", "value_template": online}]}
    state = {"state_topic": f"{topic}/state", "qos": 1, **listened}
    return {
        "alert": {
            "state_topic": f"{topic}/alert",
            "qos": 1,
            "event_types": [str(event) for event in AlarmEvent],
            "value_template": _ALERT,
        },
        "alarm": {
            **state,
            **labels,
            "value_template": "{{ value_json.condition }}",
            "json_attributes_topic": f"{topic}/state",
        },
        "voice": {
            **state,
            **labels,
            "value_template": "{{ value_json.label }}",
            "json_attributes_topic": f"{topic}/state",
            "json_attributes_template": _RATIONALE,
        },
        "confidence": {
            **state,
            "value_template": _CONFIDENCE,
            "unit_of_measurement": "%",
            "state_class": "measurement",
        },
    }


def _health(site: str, source: str) -> dict[str, dict[str, Any]]:
    """How the source does; told while it is not heard too, and void when the agent is silent."""
    topic = f"vser/v1/{site}/{source}/health"
    health = {
        "state_topic": topic,
        "expire_after": int(HEALTH_EXPIRES_S),
        "entity_category": "diagnostic",
    }
    return {
        "level": {
            **health,
            "value_template": "{{ value_json.level_db }}",
            "unit_of_measurement": "dB",
            "state_class": "measurement",
        },
        "capture": {
            **health,
            "value_template": "{{ value_json.capture }}",
            "device_class": "enum",
            "options": [str(state) for state in CaptureState],
        },
        "problem": {
            **health,
            "value_template": "{{ 'ON' if value_json.conditions else 'OFF' }}",
            "device_class": "problem",
            "json_attributes_topic": topic,
            "json_attributes_template": _REASONS,
        },
    }


def _buttons(site: str, source: str) -> dict[str, dict[str, Any]]:
    """Always there: the alarm of a lost camera must be acknowledged too."""
    asked = {"ack": {}, "pause": {"minutes": PAUSE_MINUTES}, "resume": {}}
    return {
        verb: {
            "command_topic": f"vser/v1/{site}/{source}/cmd/{verb}",
            "payload_press": json.dumps({**more, "by": "Home Assistant"}),
            "qos": 1,
        }
        for verb, more in asked.items()
    }
