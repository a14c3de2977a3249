"""A daemon with every number of its configuration at a limit hears a recording to its end, in peace."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.audio import voice, write
from support.broker import Mosquitto
from support.daemon import Subscriber, daemon
from support.extremes import fields, limits_of
from support.patience import HANGS

LENGTH = 3.0


def document(limit: Any) -> dict[str, Any]:
    """Every number of the schema at one of its limits, but ports, and what needs a server."""
    made: dict[str, Any] = {}
    for place, field in fields():
        numbers = [one for one in limits_of(field) if isinstance(one, int | float)]
        if not numbers or "port" in place or place[0] in {"sources", "reasoner"}:
            continue
        lowest, highest = numbers[0], numbers[1]
        table = made
        *above, key = map(str, place)
        for name in above:
            table = table.setdefault(name, {})
        table[key] = limit(lowest, highest)
    return made


@pytest.mark.parametrize("limit", [min, max])
def test_every_number_at_its_limit_is_lived_with(tmp_path: Path, limit: Any) -> None:
    write(tmp_path / "a.wav", voice(LENGTH))
    made = document(limit)
    made["alarm"]["panic"]["at_least"] = made["alarm"]["angry"]["at_least"] = limit(0.5, 0.99)
    made["mqtt"] |= {"host": "127.0.0.1"}
    made |= {
        "site": "test",
        "state_dir": "state",
        "sources": [{"name": "bedroom", "file": "a.wav"}],
        "reasoner": {"backend": "none"},
    }
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        made["mqtt"]["port"] = broker.port
        config = tmp_path / "vser.toml"
        config.write_text("\n".join(f"{key} = {inline(value)}" for key, value in made.items()))
        with daemon(config) as process:
            _, log = process.communicate(timeout=HANGS)
        assert process.returncode == 0, log
    assert "Traceback" not in log
    assert "stopped" in subscriber.statuses()
    health = subscriber.documents("health")
    # Changes are told at once; a busy loop would tell hundreds.
    assert 2 <= len(health) <= 3 * LENGTH + 10


def inline(value: object) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)
