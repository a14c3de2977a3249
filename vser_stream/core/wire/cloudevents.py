"""What a message is about, in the words of CloudEvents 1.0.

In the binary mode of its MQTT binding the payload stays the plain document, and the attributes
travel beside it as user properties. A message knows them itself, so one that waited in the outbox
carries the same ones as a fresh one, and no payload is read.
"""

from __future__ import annotations

from vser_stream.core.wire.documents import utc
from vser_stream.values import Message

__all__ = ["attributes_of", "content_type_of"]


def content_type_of(payload: bytes) -> str:
    """Media type of a payload: a document, or a bare word."""
    return "application/json" if payload.startswith(b"{") else "text/plain"


def attributes_of(message: Message) -> dict[str, str]:
    """CloudEvents attributes of a message; of one in the words of others (discovery) only its id."""
    about = message.about
    if about is None:
        return {"id": message.id}
    what = about.kind if about.event is None else f"{about.kind}.{about.event}"
    attributes = {
        "specversion": "1.0",
        "id": message.id,
        "source": ":".join(["urn:vser", about.site, *([about.source] if about.source else [])]),
        "type": f"io.vser.{what}.v1",
    }
    if about.alert_id:
        attributes["subject"] = about.alert_id
    at = about.ended_at if about.made_at is None else about.made_at
    return attributes if at is None else attributes | {"time": _time(at)}


def _time(seconds: float) -> str:
    """As documents have it (RFC 3339)."""
    return utc(seconds).isoformat().replace("+00:00", "Z")
