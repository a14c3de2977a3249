"""What Home Assistant makes of a real run: every template of the discovery document on every real payload."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pytest
from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon, wait_for
from support.panics import agent_configuration, panics
from support.patience import HANGS

from vser_stream.core.wire import topics

Message = tuple[str, str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], list[Message]]]:
    """The components of the discovery document, and all messages of the run."""
    folder = tmp_path_factory.mktemp("run")
    with Mosquitto(folder) as broker, Subscriber(broker, "#") as subscriber:
        with daemon(configuration(folder, broker.port, more="[publish]\nhealth_every = 1")) as process:
            assert process.wait(timeout=HANGS) == 0
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the farewell")
        site, bedroom = found(subscriber, None), found(subscriber, "bedroom")
        yield site | {f"bedroom_{name}": one for name, one in bedroom.items()}, subscriber.received


def found(subscriber: Subscriber, source: str | None) -> dict[str, Any]:
    """Entities of the latest document of the site or of a source; none while it was taken away."""
    topic = topics.device("homeassistant", "test", source)
    told = [payload for name, payload in subscriber.received if name == topic]
    return dict(json.loads(told[-1])["components"]) if told and told[-1] else {}


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
            if one["topic"].endswith("/status"):
                assert words == ["offline", "online", "offline"], name  # the last one of "stopped"
            else:
                assert {"online"} <= set(words) <= {"offline", "online"}, name


def test_it_tells_what_was_heard(run: tuple[dict[str, Any], list[Message]]) -> None:
    entities = run[0]
    alarming = {"angry", "panic"}
    assert alarming & set(values(run, entities["bedroom_alarm"]))
    assert {"calm"} < set(values(run, entities["bedroom_voice"])) - {"None"}
    assert max(float(one) for one in values(run, entities["bedroom_confidence"]) if one != "None") > 50
    events = [json.loads(one) for one in values(run, entities["bedroom_alert"])]
    assert any(one["label"] in alarming and one["rationale"] for one in events)
    assert values(run, entities["listening"]) == ["OFF", "ON", "OFF"]
    for name in ("bedroom_panic", "bedroom_connection"):
        assert set(values(run, entities[name])) == {"OFF", "ON"}, name
    assert {"running", "ended"} <= set(values(run, entities["bedroom_capture"]))


RARELY = "[publish]\nhealth_every = 3600"
DEAF = 'device = "no such microphone"'


def test_the_documents_are_renewed_when_home_assistant_starts(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        with daemon(configuration(tmp_path, broker.port, source=DEAF)):
            told = partial(documents, subscriber)
            wait_for(lambda: len(told()) == 2, within=30, what="the site and its source")
            broker.publish("homeassistant/status", "offline")
            broker.publish("homeassistant/status", "online")
            wait_for(lambda: len(told()) == 4, within=30, what="the renewed discovery")
        assert told()[:2] == told()[2:]


def documents(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [one for one in subscriber.documents("config") if "components" in one]


def test_nothing_is_left_of_a_source_of_an_earlier_configuration(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        broker.publish("vser/v1/test/attic/state", '{"schema": "vser.state/1"}', retain=True)
        broker.publish("vser/v1/other/attic/state", "{}", retain=True)
        attic = topics.device("homeassistant", "test", "attic")
        broker.publish(attic, '{"components": {}}', retain=True)
        with Subscriber(broker, "#") as subscriber:
            with daemon(configuration(tmp_path, broker.port, source=DEAF)):
                cleared = {(f"vser/v1/test/attic/{kind}", "") for kind in ("state", "health")} | {(attic, "")}
                wait_for(lambda: cleared <= set(subscriber.received), within=30, what="the clearing")
            assert ("vser/v1/other/attic/state", "") not in subscriber.received
        with Subscriber(broker, "#") as late:
            wait_for(lambda: late.received, within=30, what="what is still retained")
            assert not [topic for topic, _ in late.received if "test/attic" in topic]


def test_a_source_that_comes_goes_and_comes_again_by_reloads_is_told_at_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        config = configuration(tmp_path, broker.port, source=DEAF)
        without, attic = config.read_text(), f'[[sources]]\nname = "attic"\n{DEAF}\n'
        states = partial(subscriber.documents, "attic/state")
        with daemon(config) as process:
            wait_for(lambda: found(subscriber, "bedroom"), within=30, what="the discovery")
            for turn in (1, 2):
                assert not found(subscriber, "attic")
                known = len(states())
                config.write_text(without + attic)
                process.send_signal(signal.SIGHUP)
                wait_for(lambda: found(subscriber, "attic"), within=30, what="the new source")
                wait_for(lambda: len(states()) > known, within=30, what="its state")  # noqa: B023 - now
                config.write_text(without)
                process.send_signal(signal.SIGHUP)
                removals = partial(subscriber.received.count, ("vser/v1/test/attic/health", ""))
                wait_for(lambda: removals() == turn, within=30, what="the clearing")  # noqa: B023 - now
        assert found(subscriber, "bedroom")


def test_an_alarm_that_is_open_when_its_source_comes_back_by_a_reload_is_told_at_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        config = agent_configuration(tmp_path, broker.port, [panics(tmp_path / "bed.wav", 1)], more=RARELY)
        kept = config.read_text().replace("latching = false", "latching = true")
        config.write_text(kept)
        with daemon(config) as process:
            wait_for(lambda: signals(subscriber)[-1:] == ["latched"], within=60, what="a latched panic")
            config.write_text(kept.replace('name = "bed"', 'name = "hall"'))
            process.send_signal(signal.SIGHUP)
            gone = ("vser/v1/test/bed/state", "")
            wait_for(lambda: gone in subscriber.received, within=30, what="its removal")
            told = len(signals(subscriber))
            config.write_text(kept)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: "latched" in signals(subscriber)[told:], within=30, what="the panic of before")


def signals(subscriber: Subscriber) -> list[str]:
    return [one["signal"] for one in subscriber.documents("bed/state")]


def test_it_is_not_told_where_it_is_not_wanted(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, "#") as subscriber:
        off = "[homeassistant]\nenabled = false"
        with daemon(configuration(tmp_path, broker.port, source=DEAF, more=off)):
            wait_for(lambda: subscriber.documents("health"), within=30, what="health")
        assert not [topic for topic, _ in subscriber.received if topic.startswith("homeassistant/")]
