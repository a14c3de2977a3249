import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.decisions import START, decision

from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.wire.asyncapi import asyncapi
from vser_stream.core.wire.commands import COMMANDS, Ack, Answer, Feedback, Pause, Resume
from vser_stream.core.wire.documents import (
    DOCUMENTS,
    CaptureState,
    Health,
    Origin,
    SiteStatus,
    Versions,
    alert_of,
    message_of,
    status_message,
    utc,
    utterance_of,
)
from vser_stream.values import Label, Message

OFFICIAL = Path(__file__).parents[2] / "schemas/asyncapi-3.0.0.json.gz"
DOCUMENT = asyncapi("0.1.0")


def resolved(reference: str) -> dict[str, Any]:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return dict(node)


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []


def check(kind: str, payload: bytes | str) -> None:
    schema = DOCUMENT["components"]["messages"][kind]["payload"]
    # The references in a payload are to the whole document.
    jsonschema.validate(json.loads(payload), {**schema, "components": DOCUMENT["components"]})


def messages() -> list[Message]:
    heard = decision(panic=0.9, angry=0.07, calm=0.03, at=3.0)
    alert = alert_of(
        Transition(AlarmEvent.RAISED, Label.PANIC, heard, "one decision at 0.90"),
        origin=Origin("home-1", "bedroom", Versions(package="0.1.0", model="m@1")),
        event_id="e1",
        alert_id="a1",
        seq=1,
        published_at=START + 3.25,
    )
    health = Health(
        site="home-1", source="bedroom", capture=CaptureState.RUNNING, reason=None, last_sample_age_s=0.1,
        level_db=None, floor_db=-60.0, restarts=0, gaps=0, dropped_blocks=0, utterances=0, rejected=0,
        baseline_utterances=0, updated_at=utc(START),
    )  # fmt: skip
    documents = (alert, health, utterance_of(heard, site="home-1", source="bedroom"))
    return [message_of(one, "m1") for one in documents]


def test_the_document_satisfies_the_official_schema_of_asyncapi_3() -> None:
    official = json.loads(gzip.decompress(OFFICIAL.read_bytes()))
    jsonschema.Draft7Validator(official).validate(DOCUMENT)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(official).validate(DOCUMENT | {"channels": {"x": {"adress": "y"}}})


def test_every_reference_leads_somewhere() -> None:
    assert all(resolved(reference) for reference in references(DOCUMENT))


def test_every_message_of_the_code_has_its_channel_with_its_delivery() -> None:
    status = status_message("home-1", SiteStatus.ONLINE, "s")
    for message in [*messages(), status]:
        kind = message.topic.rsplit("/", 1)[-1]
        address = DOCUMENT["channels"][kind]["address"].format(site="home-1", source="bedroom")
        delivery = DOCUMENT["operations"][f"send-{kind}"]["bindings"]["mqtt"]
        assert (address, delivery["qos"], delivery["retain"]) == (message.topic, message.qos, message.retain)
    assert {*DOCUMENTS, *COMMANDS, "answer", "status"} == set(DOCUMENT["channels"])


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.topic)
def test_real_documents_satisfy_their_payload_schema(message: Message) -> None:
    check(message.topic.rsplit("/", 1)[-1], message.payload)


def test_real_commands_and_answers_satisfy_their_payload_schema() -> None:
    answer = Answer(
        site="h", source="b", command="ack", id=None, ok=False, error="no", state=None, answered_at=utc(START)
    )
    feedback = Feedback(alert_id="a1", verdict="unsure")
    for kind, one in {
        "ack": Ack(by="Ana"),
        "pause": Pause(minutes=5),
        "resume": Resume(),
        "feedback": feedback,
    }.items():
        check(kind, one.model_dump_json(exclude_none=True))
    check("answer", answer.model_dump_json())
    with pytest.raises(jsonschema.ValidationError):
        check("pause", '{"minutes": 500}')
