"""How Home Assistant learns of a site and its sources: retained documents, one for each device.

Home Assistant (2024.12 or newer) makes a device of each document: the site, and below it one for each
source, so that a room can be given its area. It reads a payload only through the templates given here.

Whoever looks at a dashboard must never read "calm" of a room that nobody hears. What tells of a voice is
available while the site is online and the source is heard; what tells of the alarm stays available
beyond that while an alarm is open, which is not over because its camera is lost.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from vser_stream.core.alarm.state import AlarmEvent, Signal
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.wire import topics
from vser_stream.core.wire.documents import SiteStatus, health_lasts
from vser_stream.values import LABELS, Label, Message, MessageKind

__all__ = ["discovery_messages", "forgotten", "migration"]

PAUSE_MINUTES = 10
"""What the pause button asks for (min)."""

Entity = dict[str, Any]
"""A component of a document, without its identity."""

_ALERT = """{{ {
 'event_type': value_json.event, 'label': value_json.label, 'priority': value_json.priority,
 'confidence': value_json.confidence, 'reason': value_json.reason, 'rationale': value_json.rationale,
 'heard_at': value_json.heard_at, 'alert_id': value_json.alert_id, 'seq': value_json.seq } | tojson }}"""
_CONFIDENCE = "{{ none if value_json.confidence is none else (value_json.confidence * 100) | round(1) }}"
_RATIONALE = "{{ {'rationale': value_json.rationale, 'updated_at': value_json.updated_at} | tojson }}"
_REASONS = "{{ {'reasons': value_json.conditions | map(attribute='reason') | list} | tojson }}"
_CAPTURE = "{{ {'capture': value_json.capture, 'reason': value_json.reason} | tojson }}"
_PAUSE = "{{ (value_json.paused or {'by': none, 'until': none}) | tojson }}"
_SEEN = "{{ {'alert_id': value_json.alert_id, 'seq': value_json.seq} | tojson }}"
_ACK = """{{ {
 'alert_id': this.attributes.get('alert_id'), 'seq': this.attributes.get('seq'), 'by': 'Home Assistant'
} | tojson }}"""
"""What the button itself has seen: an alarm that has become another one since is not acknowledged by it."""

_HEARD = f"value_json.capture == '{CaptureState.RUNNING}'"
_OPEN = f"value_json.get('signal', '{Signal.OFF}') != '{Signal.OFF}'"


def discovery_messages(
    site: str,
    sources: Iterable[str],
    *,
    prefix: str,
    version: str,
    health_every: float,
    new_id: Callable[[], str],
) -> Iterator[Message]:
    """The discovery documents, the site first: its sources are devices below it.

    Args:
        site: Of the agent.
        sources: Names of those that are listened to.
        prefix: Home Assistant's discovery prefix.
        version: Of this package.
        health_every: Time between two health messages (s).
        new_id: Makes ids.
    """
    origin = {"name": "vser-stream", "sw_version": version}
    maker = {"manufacturer": "vser-stream", "sw_version": version}
    device = {"identifiers": [f"vser-{site}"], "name": f"vser {site}", "model": "Vocal distress monitor"}
    document = {"device": device | maker, "origin": origin, "components": _site(site)}
    yield _message(topics.device(prefix, site), document, new_id())
    for source in sources:
        room = {
            "identifiers": [f"vser-{site}-{source}"],
            "name": _in_words(source),
            "model": "Room that is listened to",
            "via_device": f"vser-{site}",
        }
        components = _identified(f"vser-{site}-{source}", _entities(site, source, health_every))
        document = {"device": room | maker, "origin": origin, "components": components}
        yield _message(topics.device(prefix, site, source), document, new_id())


def migration(site: str, *, prefix: str, message_id: str) -> Message:
    """Make Home Assistant let go of what the site's document tells, and keep its settings.

    An earlier release had the entities of all sources in that document, and two documents may not tell of
    one entity. Not retained: it is for a Home Assistant that runs now.
    """
    request = b'{"migrate_discovery":true}'
    return Message(topics.device(prefix, site), request, 1, retain=False, id=message_id)


def forgotten(site: str, source: str, *, prefix: str, message_id: str) -> Message:
    """Take the device of a source away."""
    return Message(topics.device(prefix, site, source), b"", 1, retain=True, id=message_id)


def _message(topic: str, document: Mapping[str, Any], message_id: str) -> Message:
    payload = json.dumps(document, separators=(",", ":")).encode()
    return Message(topic, payload, 1, retain=True, id=message_id)


def _in_words(source: str) -> str:
    """``living-room`` as people write it: Living room."""
    words = source.replace("_", " ").replace("-", " ").strip() or source
    return words[0].upper() + words[1:]


def _identified(device: str, entities: Mapping[str, Entity]) -> dict[str, Entity]:
    return {what: {"unique_id": f"{device}-{what}", **entity} for what, entity in entities.items()}


def _site(site: str) -> dict[str, Entity]:
    listening = {
        "platform": "binary_sensor",
        "name": "Listening",
        "device_class": "connectivity",
        "state_topic": topics.status(site),
        "value_template": _on_if(f"value == '{SiteStatus.ONLINE}'"),
    }
    return _identified(f"vser-{site}", {"listening": listening})


def _entities(site: str, source: str, health_every: float) -> dict[str, Entity]:
    state = topics.document(site, source, MessageKind.STATE)
    alert = topics.document(site, source, MessageKind.ALERT)
    health = topics.document(site, source, MessageKind.HEALTH)
    alarm = _available(site, source, f"{_HEARD} or {_OPEN}")
    voice = _available(site, source, _HEARD)
    return {
        **_alarm(state, alarm),
        **_alert(alert),
        **_voice(state, voice),
        **_health(health, voice, expire_after=max(1, math.ceil(health_lasts(health_every)))),
        **_buttons(site, source),
    }


def _available(site: str, source: str, template: str) -> Entity:
    return {
        "availability_mode": "all",
        "availability": [
            {
                "topic": topics.status(site),
                "value_template": _online_if(f"value == '{SiteStatus.ONLINE}'"),
            },
            {
                "topic": topics.document(site, source, MessageKind.HEALTH),
                "value_template": _online_if(template),
            },
        ],
    }


def _alarm(topic: str, available: Entity) -> dict[str, Entity]:
    """The open alarm, as dashboards and automations want it."""
    state = {"state_topic": topic, "qos": 1, **available}
    told = {**state, "json_attributes_topic": topic}

    def of_signal(name: str, signal: Signal, icon: str) -> Entity:
        on = _on_if(f"value_json.signal == '{signal}'")
        return {"platform": "binary_sensor", "name": name, "icon": icon, "value_template": on, **state}

    return {
        "panic": {
            "platform": "binary_sensor",
            "name": "Panic",
            "device_class": "safety",
            "value_template": _on_if(f"value_json.condition == '{Label.PANIC}'"),
            **told,
        },
        "alarm": {
            "platform": "sensor",
            "name": "Alarm",
            "icon": "mdi:alarm-light",
            **_one_of(LABELS),
            "value_template": "{{ value_json.condition }}",
            **told,
        },
        "acknowledged": of_signal("Acknowledged", Signal.ACKNOWLEDGED, "mdi:account-check"),
        "latched": of_signal("Latched", Signal.LATCHED, "mdi:bell-alert"),
        "paused": {
            "platform": "binary_sensor",
            "name": "Paused",
            "icon": "mdi:bell-sleep",
            "value_template": _on_if("value_json.paused"),
            **state,
            "json_attributes_topic": topic,
            "json_attributes_template": _PAUSE,
        },
    }


def _alert(topic: str) -> dict[str, Entity]:
    """Each transition; always available, since the alarm of a lost camera is told again, too."""
    return {
        "alert": {
            "platform": "event",
            "name": "Alert",
            "icon": "mdi:bell-ring",
            "state_topic": topic,
            "qos": 1,
            "event_types": [str(event) for event in AlarmEvent],
            "value_template": _ALERT,
        }
    }


def _voice(topic: str, available: Entity) -> dict[str, Entity]:
    state = {"platform": "sensor", "state_topic": topic, "qos": 1, **available}
    return {
        "voice": {
            "name": "Voice",
            "icon": "mdi:account-voice",
            **_one_of(LABELS),
            "value_template": "{{ value_json.label }}",
            "json_attributes_topic": topic,
            "json_attributes_template": _RATIONALE,
            **state,
        },
        "confidence": {
            "name": "Confidence",
            "icon": "mdi:percent",
            "value_template": _CONFIDENCE,
            "unit_of_measurement": "%",
            "state_class": "measurement",
            **state,
        },
    }


def _health(topic: str, heard: Entity, *, expire_after: int) -> dict[str, Entity]:
    """How the source does; told while it is not heard too, and void when the agent is silent."""
    health = {"state_topic": topic, "expire_after": expire_after, "entity_category": "diagnostic"}
    return {
        "connection": {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "value_template": _on_if(_HEARD),
            "json_attributes_topic": topic,
            "json_attributes_template": _CAPTURE,
            **health,
        },
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "value_template": _on_if("value_json.conditions"),
            "json_attributes_topic": topic,
            "json_attributes_template": _REASONS,
            **health,
        },
        "capture": {
            "platform": "sensor",
            "name": "Capture",
            "icon": "mdi:microphone",
            **_one_of(CaptureState),
            "value_template": "{{ value_json.capture }}",
            **health,
        },
        "level": {
            "platform": "sensor",
            "name": "Sound level",
            "icon": "mdi:volume-high",
            "value_template": "{{ value_json.level_db }}",
            "unit_of_measurement": "dB",
            "state_class": "measurement",
            **health,
            **heard,
        },
    }


def _buttons(site: str, source: str) -> dict[str, Entity]:
    """Always there: the alarm of a lost camera must be acknowledged too."""
    to_ack, to_pause, to_resume = (topics.command(site, source, verb) for verb in ("ack", "pause", "resume"))
    state = topics.document(site, source, MessageKind.STATE)
    seen = {"json_attributes_topic": state, "json_attributes_template": _SEEN}
    pause = json.dumps({"minutes": PAUSE_MINUTES, "by": "Home Assistant"})
    return {
        "ack": _button(to_ack, "Acknowledge", "mdi:check-bold", command_template=_ACK, **seen),
        "pause": _button(to_pause, f"Pause {PAUSE_MINUTES} min", "mdi:bell-sleep", payload_press=pause),
        "resume": _button(
            to_resume, "Resume", "mdi:bell", payload_press=json.dumps({"by": "Home Assistant"})
        ),
    }


def _button(topic: str, name: str, icon: str, **more: str) -> Entity:
    return {
        "platform": "button",
        "name": name,
        "icon": icon,
        "command_topic": topic,
        "qos": 1,
        **more,
    }


def _one_of(options: Iterable[str]) -> Entity:
    return {"device_class": "enum", "options": [str(option) for option in options]}


def _on_if(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def _online_if(condition: str) -> str:
    return f"{{{{ 'online' if {condition} else 'offline' }}}}"
