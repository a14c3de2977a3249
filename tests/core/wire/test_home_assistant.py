import json
import re
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2

from vser_stream.core.wire import topics
from vser_stream.core.wire.home_assistant import discovery_messages, forgotten, migration
from vser_stream.values import Message

BROKER = Path(__file__).parents[3] / "deploy/mosquitto/mosquitto.conf"
EARLIER = ("alert", "alarm", "voice", "confidence", "level", "capture", "problem", "ack", "pause", "resume")
OFFICIAL = json.loads((Path(__file__).parents[2] / "schemas/home-assistant-2026.2.3.json").read_text())
LEGAL_TOPIC = re.compile(OFFICIAL["topic"])
"""Below the prefix."""


def messages(*sources: str, every: float = 30.0) -> list[Message]:
    ids = count()
    found = discovery_messages(
        "home-1",
        sources or ("bed", "living-room"),
        prefix="homeassistant",
        version="1",
        health_every=every,
        new_id=lambda: f"id-{next(ids)}",
    )
    return list(found)


def documents(*sources: str, every: float = 30.0) -> dict[str, dict[str, Any]]:
    return {one.topic: json.loads(one.payload) for one in messages(*sources, every=every)}


def bed(every: float = 30.0) -> dict[str, dict[str, Any]]:
    return dict(documents("bed", every=every)["homeassistant/device/home-1/bed/config"]["components"])


def test_each_room_is_a_device_below_the_site_told_first_on_a_topic_home_assistant_reads() -> None:
    found = documents()
    assert list(found) == [
        topics.device("homeassistant", "home-1", one) for one in (None, "bed", "living-room")
    ]
    assert all(LEGAL_TOPIC.fullmatch(topic.removeprefix("homeassistant/")) for topic in found)
    site, *rooms = (one["device"] for one in found.values())
    assert [room["name"] for room in rooms] == ["Bed", "Living room"]
    assert {room["via_device"] for room in rooms} == set(site["identifiers"])
    assert len({room["identifiers"][0] for room in rooms} | set(site["identifiers"])) == 3
    assert all((one.qos, one.retain) == (1, True) for one in messages())


def test_no_two_entities_share_an_id_and_those_of_earlier_releases_keep_theirs() -> None:
    ids = [one["unique_id"] for found in documents().values() for one in found["components"].values()]
    assert len(set(ids)) == len(ids)
    assert {"vser-home-1-listening", *(f"vser-home-1-bed-{what}" for what in EARLIER)} <= set(ids)


def test_a_removed_source_is_taken_away_by_an_empty_document() -> None:
    gone = forgotten("home-1", "bed", prefix="homeassistant", message_id="m")
    assert (gone.topic, gone.payload, gone.retain) == ("homeassistant/device/home-1/bed/config", b"", True)


def test_what_an_earlier_release_told_is_let_go_of_once_and_not_for_ever() -> None:
    request = migration("home-1", prefix="homeassistant", message_id="m")
    assert request.topic == messages()[0].topic
    assert json.loads(request.payload) == {"migrate_discovery": True}
    assert not request.retain


def test_a_source_fits_into_a_message_the_shipped_broker_takes() -> None:
    (limit,) = re.findall(r"^max_packet_size (\d+)$", BROKER.read_text(), re.MULTILINE)
    assert max(len(one.payload) for one in messages("s" * 64)) < int(limit) / 10


def rendered(template: str, **health: str) -> str:
    return jinja2.Environment(autoescape=False).from_string(template).render(value_json=health)  # noqa: S701 - no HTML


def available(name: str, **health: str) -> bool:
    """Whether an entity is, while the site is online."""
    found = bed()[name].get("availability", [])
    assert not found or bed()[name]["availability_mode"] == "all"
    of_health = [one["value_template"] for one in found if one["topic"].endswith("/bed/health")]
    return all(rendered(template, **health) == "online" for template in of_health)


def test_a_source_that_is_not_heard_is_unavailable_unless_its_alarm_is_open() -> None:
    voice, alarm = {"voice", "confidence", "level"}, {"panic", "alarm", "acknowledged", "latched", "paused"}
    others = bed().keys() - voice - alarm
    assert others == {"alert", "connection", "problem", "capture", "ack", "pause", "resume"}
    for capture in ("idle", "opening", "stalled", "backoff", "failed", "ended"):
        assert not [one for one in voice | alarm if available(one, capture=capture, signal="off")]
        assert not [one for one in voice | alarm if available(one, capture=capture)]  # of an earlier release
        latched = {one for one in bed() if available(one, capture=capture, signal="latched")}
        assert latched == alarm | others
    assert all(available(one, capture="running", signal="off") for one in bed())


def test_health_is_void_after_three_of_its_intervals() -> None:
    found = {what: one.get("expire_after") for what, one in bed(every=120).items()}
    assert {what for what, after in found.items() if after} == {"connection", "problem", "capture", "level"}
    assert {after for after in found.values() if after} == {360}
    assert bed(every=0.1)["problem"]["expire_after"] == 1


def test_the_button_acknowledges_what_it_has_seen() -> None:
    this = SimpleNamespace(attributes={"alert_id": "a1", "seq": 3})
    ack = bed()["ack"]
    environment = jinja2.Environment(autoescape=False)  # noqa: S701 - no HTML
    seen = environment.from_string(ack["json_attributes_template"]).render(
        value_json={"alert_id": "a1", "seq": 3}
    )
    assert json.loads(seen) == this.attributes
    sent = environment.from_string(ack["command_template"]).render(this=this)
    assert json.loads(sent) == {**this.attributes, "by": "Home Assistant"}


def takes(schema: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether all that must be there is, and nothing that Home Assistant would drop without a word."""
    return set(schema["required"]) <= set(told) <= {*schema["required"], *schema["optional"]}


def test_home_assistant_takes_every_word_of_it() -> None:
    for document in documents().values():
        assert takes(OFFICIAL["document"], document)
        assert takes(OFFICIAL["device"], document["device"])
        for name, entity in document["components"].items():
            schema = OFFICIAL["platforms"][entity["platform"]]
            told = {key: value for key, value in entity.items() if key != "platform"}
            assert takes(schema, told), name
            assert told.get("device_class") in {None, *schema["device_classes"]}, name
            assert told.get("state_class") in {None, *schema.get("state_classes", ())}, name
            assert told.get("entity_category") in {None, *OFFICIAL["entity_categories"]}, name
            assert ("options" in told) is (told.get("device_class") == "enum"), name
