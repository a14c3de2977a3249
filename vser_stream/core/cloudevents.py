"""What a message is about, in the words of CloudEvents 1.0.

In the binary mode of its MQTT binding the payload stays the plain document, and the attributes
travel beside it as user properties. They are read from the message itself, so one that waited
in the outbox carries the same ones as a fresh one.
"""

from __future__ import annotations

import json
from typing import Any

from vser_stream.core.wire import topics
from vser_stream.values import Message, MessageKind

__all__ = ["attributes_of", "content_type_of"]

_TIMES = ("published_at", "updated_at", "answered_at", "ended_at")
"""Fields of our documents that say when they were made."""


def content_type_of(payload: bytes) -> str:
    """Media type of a payload: a document, or a bare word."""
    return "application/json" if payload.startswith(b"{") else "text/plain"


def attributes_of(message: Message) -> dict[str, str]:
    """CloudEvents attributes of a message; of one in the words of others (discovery) only its id."""
    document = _document(message.payload)
    what, _, version = str(document.get("schema", "")).removeprefix("vser.").partition("/")
    if not version:
        return {"id": message.id, **_status(message.topic)}
    if event := document.get("event"):
        what = f"{what}.{event}"
    attributes = {
        "specversion": "1.0",
        "id": message.id,
        "source": f"urn:vser:{document.get('site')}:{document.get('source')}",
        "type": f"io.vser.{what}.v{version}",
    }
    if alert_id := document.get("alert_id"):
        attributes["subject"] = str(alert_id)
    for name in _TIMES:
        if name in document:
            return attributes | {"time": str(document[name])}
    return attributes


def _status(topic: str) -> dict[str, str]:
    """The status is a bare word, without a document that says whose."""
    match topics.parse(topic):
        case topics.Topic(site=site, last=MessageKind.STATUS):
            return {"specversion": "1.0", "source": f"urn:vser:{site}", "type": "io.vser.status.v1"}
        case _:
            return {}


def _document(payload: bytes) -> dict[str, Any]:
    if not payload.startswith(b"{"):
        return {}
    try:
        document: dict[str, Any] = json.loads(payload)
    except ValueError:  # a disk has damaged it
        return {}
    return document
