import json
from typing import Any

import pytest
from support.decisions import START, decision

from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.decision_documents import alert_in, cues_in
from vser_stream.core.wire.documents import Alert, Origin, Versions, alert_of
from vser_stream.core.wire.fhir import bundle_of
from vser_stream.values import Label

PANIC = decision(panic=0.9, angry=0.06, calm=0.04, other=0.03, wordless=0.7, at=3.0)
VERSIONS = Versions(package="0.1.0", model="m@1")
ALERT = alert_of(
    Transition(AlarmEvent.RAISED, Label.PANIC, PANIC, "one decision", heard=True),
    origin=Origin("home-1", "bedroom", VERSIONS),
    event_id="e1",
    alert_id="a1",
    seq=1,
    published_at=START + 3.25,
)
RECORD = record_of(
    PANIC,
    origin=Origin("home-1", "bedroom", VERSIONS),
    recorded_at=START + 3.25,
    alert_id="a1",
    event="raised",
    reason="one decision",
)
PLAIN: dict[str, Any] = json.loads(ALERT.model_dump_json())
REPLAYED = {"type": "alert", "at_s": 3.0, **PLAIN}
EXPORTED = {"id": 7, "previous": "0", "hash": "f00", "document": json.loads(RECORD.document)}


@pytest.mark.parametrize("document", [PLAIN, REPLAYED, EXPORTED])
def test_an_alert_is_the_same_whichever_verb_told_it(document: dict[str, Any]) -> None:
    alert = Alert.model_validate_json(json.dumps(alert_in(document)))
    differs = {"id", "seq", "latency_ms"} if document is EXPORTED else set()
    assert alert.model_dump(exclude=differs) == ALERT.model_dump(exclude=differs)
    assert bundle_of(alert)["entry"][0]["resource"]["valueCodeableConcept"]["text"] == "panic"


@pytest.mark.parametrize("document", [PLAIN, REPLAYED, EXPORTED, EXPORTED["document"], PLAIN["evidence"]])
def test_cues_are_the_same_whichever_verb_told_them(document: Any) -> None:
    assert cues_in(document) == PLAIN["evidence"]


def test_what_is_none_of_ours_is_left_as_it_is() -> None:
    assert alert_in({"type": "lamp"}) == {"type": "lamp"}
    assert alert_in([1]) == [1]
