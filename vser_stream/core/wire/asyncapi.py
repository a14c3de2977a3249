"""What is said on which topic, as an AsyncAPI 3 document made from the models themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from vser_stream.config.schema import MqttConfig, PublishConfig
from vser_stream.core.wire import topics
from vser_stream.core.wire.commands import COMMANDS, Answer, Verb
from vser_stream.core.wire.documents import DOCUMENTS, Document, SiteStatus, health_lasts
from vser_stream.values import MessageKind

__all__ = ["asyncapi"]

_REFERENCE = "#/components/schemas/{model}"
_MQTT = "0.2.0"
"""Version of AsyncAPI's MQTT binding."""

_HEALTH_EVERY: float = PublishConfig.model_fields["health_every"].default
_KEEPALIVE: int = MqttConfig.model_fields["keepalive"].default
"""As the configuration has them by default (s)."""

_EXPIRY: Mapping[str, dict[str, Any]] = {
    MessageKind.HEALTH: {"messageExpiryInterval": int(health_lasts(_HEALTH_EVERY))},
}

_PLACE = ("{site}", "{source}")


def asyncapi(version: str) -> dict[str, Any]:
    """The document for a version of this package."""
    kinds: dict[str, type[Document]] = {str(kind): model for kind, model in DOCUMENTS.items()}
    kinds[MessageKind.ANSWER] = Answer
    kinds |= {str(verb): model for verb, model in COMMANDS.items()}
    said = {kind: (model, _mode(kind)) for kind, model in kinds.items()}
    schemas, definitions = models_json_schema(list(said.values()), ref_template=_REFERENCE)
    payloads = {kind: schemas[one] for kind, one in said.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "vser-stream",
            "version": version,
            "description": "Vocal distress alerts with reasons; at least once, deduplicate by id.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {kind: _channel(kind) for kind in (*payloads, "status")},
        "operations": {
            **{f"send-{kind}": _sends(kind) for kind in (*DOCUMENTS, "status")},
            **{f"receive-{verb}": _receives(verb) for verb in Verb},
        },
        "components": {
            "schemas": definitions["$defs"] | {"cloudevent": _cloudevent()},
            "parameters": _parameters(),
            "messages": {
                **{kind: _message(kind, payload, kinds[kind]) for kind, payload in payloads.items()},
                "status": _status(),
            },
        },
    }


def _mode(kind: str) -> Literal["validation", "serialization"]:
    """Commands are read, all else is written."""
    return "validation" if kind in set(Verb) else "serialization"


def _server() -> dict[str, Any]:
    will = {"topic": topics.status("{site}"), "qos": 1, "message": str(SiteStatus.OFFLINE), "retain": True}
    return {
        "host": "127.0.0.1:1883",
        "protocol": "mqtt",
        "protocolVersion": "5",
        "description": "Any MQTT broker; MQTT 3.1.1 works without expiry, user properties and answers. "
        f"On {topics.selftest(*_PLACE)} doctor tests the broker: ignore what is published there.",
        "bindings": {
            "mqtt": {"cleanSession": True, "lastWill": will, "keepAlive": _KEEPALIVE, "bindingVersion": _MQTT}
        },
    }


def _channel(kind: str) -> dict[str, Any]:
    messages = {"messages": {kind: {"$ref": f"#/components/messages/{kind}"}}}
    if kind == MessageKind.ANSWER:
        return {"address": None, "description": "The response topic of the command.", **messages}
    if kind == MessageKind.STATUS:
        return {"address": topics.status("{site}"), **messages, "parameters": _references("site")}
    is_command = kind in set(Verb)
    address = topics.command(*_PLACE, kind) if is_command else topics.document(*_PLACE, MessageKind(kind))
    return {"address": address, **messages, "parameters": _references("site", "source")}


def _sends(kind: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{kind}"},
        "bindings": {"mqtt": {**_delivery(MessageKind(kind)), "bindingVersion": _MQTT}},
    }


def _delivery(kind: MessageKind) -> dict[str, Any]:
    return topics.PUBLISHED[kind]._asdict() | _EXPIRY.get(kind, {})


def _receives(verb: Verb) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{verb}"},
        "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": _MQTT}},
        "reply": {
            "address": {
                "description": "MQTT 5: the response topic, with the correlation data of the command.",
                "location": "$message.header#/responseTopic",
            },
            "channel": {"$ref": "#/channels/answer"},
        },
    }


def _message(kind: str, payload: dict[str, Any], model: type[Document]) -> dict[str, Any]:
    message = {
        "name": kind,
        "summary": (model.__doc__ or "").splitlines()[0],
        "contentType": "application/json",
        "payload": payload,
    }
    return (
        message if kind in set(Verb) else message | {"headers": {"$ref": "#/components/schemas/cloudevent"}}
    )


def _status() -> dict[str, Any]:
    return {
        "name": "status",
        "summary": "Whether any source of the site is monitored; offline is also the last will.",
        "contentType": "text/plain",
        "payload": {"type": "string", "enum": [str(status) for status in SiteStatus]},
        "headers": {"$ref": "#/components/schemas/cloudevent"},
    }


def _cloudevent() -> dict[str, Any]:
    """CloudEvents attributes travel as user properties (binary mode, MQTT 5)."""
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "MQTT 5 user properties: CloudEvents 1.0, binary mode.",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": {"type": "string", "examples": ["urn:vser:home-1:bedroom"]},
            "type": {"type": "string", "examples": ["io.vser.alert.raised.v1"]},
            "subject": {"type": "string", "description": "alert_id"},
            "time": {"type": "string", "format": "date-time"},
        },
        "required": ["specversion", "id", "source", "type"],
    }


def _parameters() -> dict[str, Any]:
    return {
        "site": {"description": "Of the agent: letters, digits, - and _.", "examples": ["home-1"]},
        "source": {"description": "A microphone or camera of the site.", "examples": ["bedroom"]},
    }


def _references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/parameters/{name}"} for name in names}
