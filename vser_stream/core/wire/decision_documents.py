"""Documents that tell of a decision, whichever verb of ours wrote them.

An alert comes from the broker, as a line of ``vser-stream replay --json``, and behind it a record stays
that ``vser-stream records export`` prints. Whoever takes one of them takes all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vser_stream.core.alarm.state import priority_of
from vser_stream.core.wire.audit_record import RECORD
from vser_stream.core.wire.documents import Alert
from vser_stream.values import Label

__all__ = ["alert_in", "cues_in"]


def alert_in(document: Any) -> Any:
    """The alert in a document, as JSON; what is none of ours comes back as it is.

    Raises:
        ValueError, KeyError, TypeError: It is a broken record.
    """
    match document:
        case {"type": "alert", "at_s": _, **alert}:
            return alert
        case {"document": {"schema": str(schema)} as record, "id": int(number), "hash": str(identity)} if (
            schema == RECORD
        ):
            return _recorded(record, number, identity)
        case _:
            return document


def cues_in(document: Any) -> Any:
    """The measured cues in a document, as JSON; a bare list is one of cues.

    Raises:
        KeyError, TypeError: There are none.
    """
    match document:
        case {"document": {"cues": cues}} | {"cues": cues}:
            return cues
        case Mapping():
            return document["evidence"]
        case _:
            return document


def _recorded(record: Mapping[str, Any], number: int, identity: str) -> dict[str, Any]:
    label = Label(record["label"])
    return {
        "schema": "vser.alert/1",
        **{name: record[name] for name in Alert.model_fields if name in record},
        "id": identity,
        "seq": number,
        "priority": priority_of(label),
        "confidence": record["probabilities"][label],
        "reason": record.get("reason") or f"record {number}",
        "evidence": record["cues"],
        "published_at": record["recorded_at"],
        "latency_ms": None,
    }
