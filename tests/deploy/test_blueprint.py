"""The blueprint for Home Assistant speaks of inputs that it has, and of entities that we make."""

from pathlib import Path
from typing import Any

import yaml

from vser_stream.core.wire.home_assistant import discovery_messages

BLUEPRINT = Path(__file__).parents[2] / "deploy/homeassistant/panic.yaml"


class Input(str):
    """Stands for what the user chooses."""

    __slots__ = ()


class Loader(yaml.SafeLoader):
    """Knows Home Assistant's ``!input``."""


Loader.add_constructor("!input", lambda _, node: Input(node.value))


def inputs(node: Any) -> set[str]:
    if isinstance(node, Input):
        return {str(node)}
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return set().union(*map(inputs, parts))


def test_every_input_is_asked_for_and_used() -> None:
    document = yaml.load(BLUEPRINT.read_text(), Loader)  # noqa: S506 - a safe one
    assert inputs(document) == set(document["blueprint"]["input"])


def test_what_it_asks_for_is_what_a_room_has() -> None:
    asked = yaml.load(BLUEPRINT.read_text(), Loader)["blueprint"]["input"]  # noqa: S506 - a safe one
    *_, room = discovery_messages(
        "home", ["bed"], prefix="homeassistant", version="1", health_every=30, new_id=lambda: "id"
    )
    entities = yaml.safe_load(room.payload)["components"]
    for name in ("panic", "acknowledged"):
        (wanted,) = asked[name]["selector"]["entity"]["filter"]
        entity = entities[name]
        assert (wanted["domain"], wanted.get("device_class")) == (
            entity["platform"],
            entity.get("device_class"),
        )
        assert entity["name"] == asked[name]["name"]
