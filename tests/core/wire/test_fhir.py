import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from support.decisions import START, decision

from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.wire.documents import Origin, Versions, alert_of
from vser_stream.core.wire.fhir import bundle_of
from vser_stream.values import Label


def export(event: AlarmEvent = AlarmEvent.RAISED, level: Label = Label.PANIC) -> dict[str, Any]:
    alert = alert_of(
        Transition(event, level, decision(panic=0.9, angry=0.07, calm=0.03, at=3.0), "one decision at 0.90"),
        origin=Origin("home-1", "bedroom", Versions(package="0.1.0", model="m@1")),
        event_id="e1",
        alert_id="a1",
        seq=1,
        published_at=START + 3.25,
    )
    return bundle_of(alert)


def resource(bundle: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == name)
    return dict(found)


@pytest.mark.parametrize("event", list(AlarmEvent))
@pytest.mark.parametrize("level", list(Label))
def test_every_alert_is_valid_fhir(event: AlarmEvent, level: Label) -> None:
    bundle = export(event, level)
    # Of R4B the parts used here are those of R4; the library refuses what the standard does not know.
    parsed = Bundle.model_validate(bundle)
    assert json.loads(parsed.model_dump_json())["entry"][0]["resource"]["resourceType"] == "Observation"


def test_the_observation_says_what_was_heard_when_and_where() -> None:
    observation = resource(export(), "Observation")
    assert observation["valueCodeableConcept"]["text"] == "panic"
    assert observation["effectivePeriod"] == {"start": "2023-11-14T22:13:22Z", "end": "2023-11-14T22:13:23Z"}
    assert observation["subject"]["display"] == "home-1/bedroom"
    values = {one["code"]["text"]: one["valueQuantity"]["value"] for one in observation["component"]}
    assert values == {
        "Probability of calm": 0.03,
        "Probability of angry": 0.07,
        "Probability of panic": 0.9,
        "pitch level": 262.0,
    }
    assert observation["status"] == "preliminary"
    assert resource(export(AlarmEvent.AMENDED), "Observation")["status"] == "final"


def test_the_communication_is_about_the_observation_and_as_urgent_as_the_alarm() -> None:
    bundle = export()
    communication = resource(bundle, "Communication")
    assert communication["about"] == [{"reference": bundle["entry"][0]["fullUrl"]}]
    assert communication["payload"][0]["contentString"].startswith(
        "raised panic at home-1/bedroom: one decision"
    )
    urgency = {level: resource(export(level=level), "Communication")["priority"] for level in Label}
    assert urgency == {"calm": "routine", "angry": "urgent", "panic": "stat"}
