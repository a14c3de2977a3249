import json
from dataclasses import replace

import jsonschema
import pytest
from support.decisions import START, decision
from support.documents import PANIC, alert, health, state, utterance

from vser_stream.core.alarm.state import AlarmEvent
from vser_stream.core.wire.documents import (
    DOCUMENTS,
    Alert,
    SiteStatus,
    in_brief,
    message_of,
    status_message,
    told_late,
    utterance_of,
)
from vser_stream.values import About, Label, MessageKind


def test_an_alert_carries_every_field_of_the_contract() -> None:
    document = json.loads(message_of(alert(), "e1").payload)
    assert set(document) >= {
        "schema", "id", "alert_id", "seq", "event", "site", "source", "label", "priority", "probabilities",
        "confidence", "decided_by", "rationale", "evidence", "rules", "heard_at", "ended_at", "published_at",
        "latency_ms", "versions",
    }  # fmt: skip
    assert document["schema"] == "vser.alert/1"
    assert set(document["probabilities"]) == {"calm", "angry", "panic"}
    assert set(document["evidence"][0]) == {"name", "value", "unit", "baseline", "z", "confidence"}
    assert set(document["versions"]) == {"package", "model", "rules", "reasoner"}


def test_what_calm_and_panic_are_made_of_is_told_beside_the_probabilities() -> None:
    heard = decision(panic=0.8, angry=0.1, calm=0.1, other=0.05, wordless=0.7)
    document = json.loads(utterance_of(heard, site="home-1", source="bedroom").model_dump_json())
    assert document["probabilities"] == {"calm": 0.1, "angry": 0.1, "panic": 0.8}
    assert document["parts"] == {"other": 0.05, "wordless": 0.7}
    assert alert().parts is None


def test_times_are_utc_in_rfc_3339_and_latency_counts_from_the_end_of_speech() -> None:
    document = json.loads(message_of(alert(), "e1").payload)
    assert document["heard_at"] == "2023-11-14T22:13:22Z"
    assert document["ended_at"] == "2023-11-14T22:13:23Z"
    assert document["published_at"] == "2023-11-14T22:13:23.250000Z"
    assert document["latency_ms"] == 250.0


def test_latency_is_never_negative_whatever_clock_a_source_has() -> None:
    assert alert(published_at=START + 2.9).latency_ms == 0.0


def test_what_time_or_a_person_caused_has_no_latency() -> None:
    document = json.loads(message_of(alert(AlarmEvent.REMINDER, heard=False), "e1").payload)
    assert document["latency_ms"] is None
    jsonschema.validate(document, DOCUMENTS[MessageKind.ALERT].model_json_schema(mode="serialization"))


def test_a_panic_goes_before_an_angry_alert_and_both_before_the_rest() -> None:
    panic, angry = alert(), alert(level=Label.ANGRY)
    order = [message_of(document, "x").priority for document in (panic, angry)]
    assert order == [3, 2]
    assert message_of(health(), "x").priority == 0


@pytest.mark.parametrize(
    ("document", "topic", "qos", "retain"),
    [
        (alert(), "vser/v1/home-1/bedroom/alert", 1, False),
        (health(), "vser/v1/home-1/bedroom/health", 1, True),
        (utterance_of(PANIC, site="home-1", source="bedroom"), "vser/v1/home-1/bedroom/utterance", 0, False),
    ],
)
def test_each_document_has_the_topic_and_delivery_of_the_contract(
    document: Alert, topic: str, qos: int, *, retain: bool
) -> None:
    message = message_of(document, "x")
    assert (message.topic, message.qos, message.retain) == (topic, qos, retain)


def test_the_status_is_a_bare_retained_word() -> None:
    message = status_message("home-1", SiteStatus.STOPPED, "x")
    assert (message.topic, message.payload, message.qos, message.retain) == (
        "vser/v1/home-1/status", b"stopped", 1, True,
    )  # fmt: skip


@pytest.mark.parametrize("document", [alert(), health(), utterance_of(PANIC, site="h", source="b")])
def test_a_document_satisfies_its_own_published_schema(document: Alert) -> None:
    message = message_of(document, "x")
    schema = DOCUMENTS[MessageKind(message.topic.rsplit("/", 1)[1])].model_json_schema(mode="serialization")
    jsonschema.validate(json.loads(message.payload), schema)


def test_an_amended_alert_has_the_label_of_the_utterance() -> None:
    assert alert(AlarmEvent.AMENDED, Label.ANGRY).label is Label.PANIC
    assert alert(AlarmEvent.RAISED, Label.ANGRY).label is Label.ANGRY


def test_an_alert_told_more_than_ten_seconds_after_it_happened_says_so_and_nothing_else_changes() -> None:
    document = alert()
    message = message_of(document, document.id)
    happened = document.published_at.timestamp()
    assert told_late(message, happened + 9.99) is message
    late = told_late(message, happened + 10.01)
    assert (late.id, late.topic, late.priority) == (message.id, message.topic, message.priority)
    assert Alert.model_validate_json(late.payload) == document.model_copy(update={"late": True})
    assert late.payload == message.payload.replace(b'"late":false', b'"late":true')


def test_what_is_no_alert_is_never_late() -> None:
    for message in (message_of(health(), "x"), status_message("home-1", SiteStatus.STOPPED, "x")):
        assert told_late(message, 4e9) is message


@pytest.mark.parametrize(
    ("document", "about"),
    [
        (
            alert(AlarmEvent.ESCALATED),
            About(
                MessageKind.ALERT,
                "home-1",
                "bedroom",
                event="escalated",
                alert_id="a1",
                made_at=START + 3.25,
                ended_at=START + 3.0,
            ),
        ),
        (utterance(), About(MessageKind.UTTERANCE, "home-1", "bedroom", ended_at=START + 3.0)),
        (state(), About(MessageKind.STATE, "home-1", "bedroom", alert_id="a1", made_at=START)),
        (health(), About(MessageKind.HEALTH, "home-1", "bedroom", made_at=START)),
    ],
)
def test_a_message_knows_what_its_document_says(document: Alert, about: About) -> None:
    assert message_of(document, "x").about == about


def test_a_damaged_alert_is_told_as_it_is() -> None:
    half = replace(message_of(alert(), "x"), payload=b'{"schema":"vser.alert/1"')
    assert told_late(half, 4e9) is half
    assert in_brief(half) is None
