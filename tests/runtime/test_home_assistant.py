"""What Home Assistant makes of a real run: every template of the discovery document on every real payload."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon, wait_for
from support.patience import HANGS

Message = tuple[str, str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], list[Message]]]:
    """The components of the discovery document, and all messages of the run."""
    folder = tmp_path_factory.mktemp("run")
    with Mosquitto(folder) as broker, Subscriber(broker, "#") as subscriber:
        with daemon(configuration(folder, broker.port, more="[publish]\nhealth_every = 1")) as process:
            assert process.wait(timeout=HANGS) == 0
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the farewell")
        (document, *_) = subscriber.documents("config")
        yield document["components"], subscriber.received


def payloads(run: tuple[dict[str, Any], list[Message]], topic: str) -> list[str]:
    found = [payload for name, payload in run[1] if name == topic and payload]
    assert found, f"nobody ever published on {topic}"
    return found


def render(template: str, payload: str) -> str:
    """As Home Assistant does, but for being strict about fields there are not."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    try:
        value_json = json.loads(payload)
    except ValueError:
        value_json = jinja2.StrictUndefined("value_json")
    return environment.from_string(template).render(value=payload, value_json=value_json)


def values(run: tuple[dict[str, Any], list[Message]], component: dict[str, Any]) -> list[str]:
    return [
        render(component["value_template"], payload) for payload in payloads(run, component["state_topic"])
    ]


def test_each_entity_gets_legal_values_only(run: tuple[dict[str, Any], list[Message]]) -> None:
    for name, component in run[0].items():
        if component["platform"] == "button":
            continue
        for value in values(run, component):
            match component:
                case {"platform": "event", "event_types": types}:
                    assert json.loads(value)["event_type"] in types, name
                case {"platform": "binary_sensor"}:
                    assert value in {"ON", "OFF"}, name
                case {"options": options}:
                    assert value in {*options, "None"}, name
                case {"unit_of_measurement": _}:
                    assert value == "None" or float(value) is not None, name
                case _:
                    pytest.fail(f"{name}: nobody says what a legal value is")


def test_attributes_are_json_objects_and_availability_is_one_of_two_words(
    run: tuple[dict[str, Any], list[Message]],
) -> None:
    for name, component in run[0].items():
        if topic := component.get("json_attributes_topic"):
            template = component.get("json_attributes_template", "{{ value }}")
            for payload in payloads(run, topic):
                assert isinstance(json.loads(render(template, payload)), dict), name
        for one in component.get("availability", ()):
            words = [render(one["value_template"], payload) for payload in payloads(run, one["topic"])]
            assert words == ["offline", "online", "offline"], name  # the last one of "stopped"


def test_it_tells_what_was_heard(run: tuple[dict[str, Any], list[Message]]) -> None:
    found = run[0]
    alarming = {"angry", "panic"}
    assert alarming & set(values(run, found["bedroom_alarm"]))
    assert {"calm"} < set(values(run, found["bedroom_voice"])) - {"None"}
    assert max(float(one) for one in values(run, found["bedroom_confidence"]) if one != "None") > 50
    events = [json.loads(one) for one in values(run, found["bedroom_alert"])]
    assert any(one["label"] in alarming and one["rationale"] for one in events)
    assert values(run, found["listening"]) == ["OFF", "ON", "OFF"]
    assert {"running", "ended"} <= set(values(run, found["bedroom_capture"]))


DEAF = 'device = "no such microphone"'


def discovered(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [document["components"] for document in subscriber.documents("config")]


def test_the_document_is_renewed_when_home_assistant_starts(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        with daemon(configuration(tmp_path, broker.port, source=DEAF)):
            wait_for(lambda: len(discovered(subscriber)) == 1, within=30, what="the discovery")
            broker.publish("homeassistant/status", "offline")
            broker.publish("homeassistant/status", "online")
            wait_for(lambda: len(discovered(subscriber)) == 2, within=5, what="the renewed discovery")
        assert discovered(subscriber)[0] == discovered(subscriber)[1]


def test_nothing_is_left_of_a_source_of_an_earlier_configuration(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        broker.publish("vser/v1/test/attic/state", '{"schema": "vser.state/1"}', retain=True)
        broker.publish("vser/v1/other/attic/state", "{}", retain=True)
        with Subscriber(broker, "#") as subscriber:
            with daemon(configuration(tmp_path, broker.port, source=DEAF)):
                cleared = [("vser/v1/test/attic/state", ""), ("vser/v1/test/attic/health", "")]
                wait_for(lambda: set(cleared) <= set(subscriber.received), within=30, what="the clearing")
            assert ("vser/v1/other/attic/state", "") not in subscriber.received
            gone = {name for name, one in discovered(subscriber)[-1].items() if set(one) == {"platform"}}
            assert {name.split("_")[0] for name in gone} == {"attic"}
        with Subscriber(broker, "vser/v1/test/+/state") as late:
            wait_for(lambda: late.received, within=5, what="the retained state that is left")
            assert {topic for topic, _ in late.received} == {"vser/v1/test/bedroom/state"}


def test_a_source_removed_by_a_reload_is_forgotten_after_its_last_word(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        config = configuration(tmp_path, broker.port, source=DEAF)
        kept = config.read_text()
        config.write_text(f'{kept}[[sources]]\nname = "attic"\n{DEAF}\n')
        with daemon(config) as process:
            wait_for(lambda: "attic_voice" in str(discovered(subscriber)), within=30, what="the discovery")
            config.write_text(kept)
            process.send_signal(1)
            cleared = ("vser/v1/test/attic/health", "")
            wait_for(lambda: cleared in subscriber.received, within=10, what="the clearing")
        after = subscriber.received[subscriber.received.index(cleared) + 1 :]
        assert not [topic for topic, payload in after if "/attic/" in topic and payload]
        assert discovered(subscriber)[-1]["attic_voice"] == {"platform": "sensor"}


def test_it_is_not_told_where_it_is_not_wanted(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        off = "[homeassistant]\nenabled = false"
        with daemon(configuration(tmp_path, broker.port, source=DEAF, more=off)):
            wait_for(lambda: subscriber.documents("health"), within=30, what="health")
        assert discovered(subscriber) == []
