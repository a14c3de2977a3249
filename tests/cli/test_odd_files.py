"""Files somebody else wrote, given to the verbs that read one document: one clear line, never a traceback."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from support.command import vser_stream
from support.daemon import SCENE
from typer.testing import CliRunner

from vser_stream.cli import app
from vser_stream.errors import VserError

ODD: list[Any] = [None, True, -1, 1e308, 10**30, "", "x", "\ud800", "\x1b[2J", [], {}, [[]], {"a": 1}]
VERBS = (["fhir"], ["rules", "explain", "--json", "--evidence"])
WHOLE = [
    "",
    "[" * 100_000,
    '{"a":' * 50_000,
    "NaN",
    "[1e999]",
    "null",
    "7",
    '"x"',
    "\xff",
    '{"evidence": {}}',
]


@pytest.fixture(scope="module")
def alert() -> dict[str, Any]:
    lines = vser_stream("replay", "--json", SCENE).stdout.splitlines()
    found: dict[str, Any] = next(row for row in map(json.loads, lines) if row["type"] == "alert")
    return {key: value for key, value in found.items() if key not in {"type", "at_s"}}


def run(verb: list[str], path: Path) -> str:
    """What it printed, or nothing where it refused in one line."""
    done = CliRunner().invoke(app, [*verb, str(path)])
    if isinstance(done.exception, VserError):
        assert "\n" not in str(done.exception)
        return ""
    assert done.exception is None, repr(done.exception)
    return done.stdout


def mutated(alert: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    document: Any = copy.deepcopy(alert)
    inside = document
    while True:
        key = chance.choice(list(inside)) if isinstance(inside, dict) else chance.randrange(len(inside))
        if isinstance(inside[key], dict | list) and inside[key] and chance.random() < 0.8:
            inside = inside[key]
            continue
        inside[key] = chance.choice(ODD)
        return dict(document)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_odd_document_ends_in_a_traceback(verb: list[str], alert: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "alert.json"
    path.write_text(json.dumps(alert))
    assert run(verb, path)
    for text in WHOLE:
        path.write_bytes(text.encode("latin-1"))
        assert run(verb, path) == ""
    chance = random.Random(3)  # noqa: S311 - the same each time
    for _ in range(60):
        path.write_text(json.dumps(mutated(alert, chance)))
        said = run(verb, path)
        assert not {"NaN", "Infinity"} & set(said.replace(",", " ").split())


def test_an_odd_record_is_one_line(tmp_path: Path) -> None:
    for number, text in enumerate(WHOLE[:4]):
        (path := tmp_path / f"{number}.json").write_text(text)
        done = CliRunner().invoke(app, ["rescore", str(path)])
        assert isinstance(done.exception, VserError), repr(done.exception)
