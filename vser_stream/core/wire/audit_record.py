"""What a decision rested on, for whoever asks later: enough to score it again, and no more.

Statistics of the whole utterance only: no audio, and nothing frame by frame from which a voice could
be made.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.wire.decision import cue_fields, fields_of, shares_from, shares_of
from vser_stream.core.wire.documents import Origin, utc
from vser_stream.values import ANSWERS, Decision, Probabilities, Record

__all__ = ["GENESIS", "RECORD", "canonical", "chained", "record_of", "rows_of", "scored_of"]

RECORD = "vser.record/1"
"""Of the documents; within it fields are only added."""

GENESIS = "0" * 64
"""Stands for the hash before the first record."""

_FLOAT = np.dtype("<f4")


def record_of(
    decision: Decision,
    *,
    origin: Origin,
    recorded_at: float,
    alert_id: str | None = None,
    event: str | None = None,
    reason: str | None = None,
) -> Record:
    """Put down a decision.

    Args:
        decision: With the rows the SVM was given.
        origin: Whose it is, and what decided.
        recorded_at: Wall time (s).
        alert_id: Of the alarm condition it bears on.
        event: What became of that condition.
        reason: Why.
    """
    told = fields_of(decision)
    told["cues"] = [cue_fields(cue) for cue in told.pop("evidence")]
    told |= {name: utc(told[name]).isoformat() for name in ("heard_at", "ended_at")}
    document = {
        **told,
        "schema": RECORD,
        "site": origin.site,
        "source": origin.source,
        "recorded_at": utc(recorded_at).isoformat(),
        "alert_id": alert_id,
        "event": event,
        "reason": reason,
        "kind": decision.segment.kind,
        "svm": _svm_of(decision),
        "look": None if decision.look is None else dict(zip(ANSWERS, decision.look.answers, strict=True)),
        "versions": origin.versions.model_dump(),
    }
    return Record(origin.source, canonical(document))


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one way to write a document: sorted keys, no spaces, the shortest exact numbers."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def chained(previous: str, document: bytes) -> str:
    """Hash of a record that follows the one hashed ``previous``."""
    return hashlib.sha256(previous.encode() + document).hexdigest()


def rows_of(document: Mapping[str, Any]) -> NDArray[np.float32]:
    """The rows a recorded decision was scored from, shape (1 or 2, n_inputs).

    Raises:
        ValueError, KeyError, TypeError: It is no such document.
    """
    rows = [np.frombuffer(base64.b64decode(row, validate=True), _FLOAT) for row in document["svm"]["rows"]]
    return np.stack(rows).astype(np.float32)


def scored_of(document: Mapping[str, Any]) -> Probabilities:
    """What the SVM made of them then.

    Raises:
        ValueError, KeyError, TypeError: It is no such document.
    """
    return shares_from(document["svm"])


def _svm_of(decision: Decision) -> dict[str, object] | None:
    if decision.rows is None or decision.scored is None:
        return None
    rows = [base64.b64encode(row.astype(_FLOAT).tobytes()).decode() for row in decision.rows]
    return {"rows": rows, **shares_of(decision.scored)}
