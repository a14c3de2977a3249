"""What whole recordings gave when somebody last read it all: snapshots, their renewal, and what differs.

A row of ``vser-stream replay --json`` is kept as several short lines (what was decided, why in words, then a
line for each cue), so that a diff shows what a change of the code changed.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support.audio import voice, write
from support.broker import free_port
from support.chat_server import Request, chat_server, completion
from support.command import vser_stream
from support.daemon import SCENE, configuration
from support.figures import TOLERANCE

from vser_stream.adapters.audio.recording import Recording
from vser_stream.values import RATE, Pcm

__all__ = ["RUNS", "first_difference", "snapshot"]

FOLDER = Path(__file__).parents[1] / "cli/golden"
_PROBABILITY = re.compile(r"(probabilities|parts)\.\w+|confidence|p_\w+")
"""Names of fields, dotted. (The confidence of a cue is none: it is a line of its own below ``cue``.)"""

_FROM_PROBABILITIES = re.compile(r"(?<=\bp )\d+\.\d+|(?<=\bdistress )\d+\.\d+")
"""The figures in a reason that round what lies within the tolerance, so may differ in their last digit."""

Line = dict[str, Any]
"""Of a snapshot."""


def demo(folder: Path) -> list[Line]:
    """The scene that is shipped: calm, agitated, screams."""
    return _replayed(SCENE, configuration(folder, free_port(), more='[reasoner]\nbackend = "none"'))


def cleared(folder: Path) -> list[Line]:
    """Voices until the alarm, then a quiet room until it is over; told in Vietnamese."""
    quiet = np.zeros(8 * RATE, np.int16)
    sound = _in_a_room(*(voice(1.6, seed=seed) for seed in range(5, 11)), quiet)
    settings = '[reasoner]\nbackend = "none"\nlanguage = "vi"\n[alarm.panic]\ndistress = 0.5\nhold = 5\n'
    return _replayed(write(folder / "cleared.wav", sound), configuration(folder, free_port(), more=settings))


def weighed(folder: Path) -> list[Line]:
    """The agitated part of the scene that is shipped, by a reasoner that is asked about all of it."""
    sound = np.concatenate([block.pcm for block in Recording(SCENE).blocks(lambda: False)])[11 * RATE :]
    with chat_server(_angry_by_what_moved_most) as server:
        # A busy box may be slow: this is about what is said.
        reasoner = f'[reasoner]\nbackend = "server"\nurl = "{server.url}"\ndeadline = 60\n'
        settings = f"{reasoner}[route]\nescalate_below = 1.0\n"
        config = configuration(folder, free_port(), more=settings)
        return _replayed(write(folder / "weighed.wav", sound), config)


def _angry_by_what_moved_most(request: Request) -> Request:
    """A reasoner's answer that depends on nothing but the two cues told first."""
    moved = re.findall(r"^([a-z ]+) ([+-])\d+$", request["messages"][-1]["content"], re.MULTILINE)
    claims = [f"{name} is {'above' if way == '+' else 'below'} the usual" for name, way in moved[:2]]
    return completion(json.dumps({"label": "angry", "rationale": f"The {' and the '.join(claims)}."}))


def classified(folder: Path) -> list[Line]:
    """Three voices by ``vser-stream classify``, on the running baseline of who was enrolled."""
    roles = ("enrol", "test", "test", "test")
    for seed in range(len(roles)):
        write(folder / f"{seed}.wav", voice(1.5, seed=seed))
    rows = [f"{seed}.wav,somebody,{role}" for seed, role in enumerate(roles)]
    (folder / "manifest.csv").write_text("\n".join(["path,speaker,role", *rows, ""]))
    options = ("--root", folder, "--baseline", "running", "--decider", "svm", "--output", folder / "out.csv")
    done = vser_stream("classify", "--manifest", folder / "manifest.csv", *options)
    assert done.returncode == 0, done.stderr
    with (folder / "out.csv").open(newline="") as file:
        return [{name: _figure(text) for name, text in row.items()} for row in csv.DictReader(file)]


RUNS: dict[str, Callable[[Path], list[Line]]] = {
    run.__name__: run for run in (demo, cleared, weighed, classified)
}


def snapshot(name: str) -> list[Line]:
    """What was kept of a run."""
    return [json.loads(line) for line in _file(name).read_text().splitlines()]


def first_difference(kept: Sequence[Line], found: Sequence[Line]) -> str | None:
    """The first field that is not what it was, named; None where all are, but for the tolerance."""
    for number, (was, now) in enumerate(zip(kept, found, strict=False), start=1):
        before, after = dict(_fields(was)), dict(_fields(now))
        for name in before | after:
            if not _same(name, before.get(name), after.get(name)):
                return f"line {number}, {name}: was {before.get(name)!r}, is {after.get(name)!r}"
    if len(kept) != len(found):
        return f"line {min(len(kept), len(found)) + 1}: there were {len(kept)} lines, there are {len(found)}"
    return None


def _same(name: str, was: object, now: object) -> bool:
    if isinstance(was, str) and isinstance(now, str):
        return _same_words(was, now)
    if isinstance(was, float) and isinstance(now, float) and _PROBABILITY.fullmatch(name):
        return abs(was - now) <= TOLERANCE + 1e-9
    return type(was) is type(now) and was == now


def _same_words(was: str, now: str) -> bool:
    pairs = zip(_FROM_PROBABILITIES.findall(was), _FROM_PROBABILITIES.findall(now), strict=False)
    as_before = _FROM_PROBABILITIES.sub("#", was) == _FROM_PROBABILITIES.sub("#", now)
    return as_before and all(abs(float(a) - float(b)) <= _last_digit(a) + 1e-9 for a, b in pairs)


def _last_digit(figure: str) -> float:
    return float(10 ** -len(figure.partition(".")[2]))


def _fields(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf under its dotted name; an empty list or object is a leaf too."""
    inside = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(inside, dict) or not inside:
        yield name, value
        return
    for key, below in inside.items():
        yield from _fields(below, f"{name}.{key}" if name else str(key))


def _replayed(recording: Path, config: Path) -> list[Line]:
    done = vser_stream("replay", "--json", "--config", config, recording)
    assert done.returncode == 0, done.stderr
    return [line for row in done.stdout.splitlines() for line in _lines_of(json.loads(row))]


def _lines_of(row: dict[str, Any]) -> Iterator[Line]:
    cues, rationale = row.pop("evidence"), row.pop("rationale")
    if "versions" in row:  # they change with every release, and are said in tests of their own
        row["versions"] = sorted(row["versions"])
    yield row
    yield {"rationale": rationale}
    yield from ({"cue": cue} for cue in cues)


def _in_a_room(*sounds: Pcm) -> Pcm:
    """One after the other with pauses, over the faint noise of a quiet room."""
    pause = np.zeros(4 * RATE // 5, np.int16)
    whole = np.concatenate([part for sound in sounds for part in (pause, sound)] + [pause])
    noise = np.random.default_rng(0).normal(0, 8, len(whole))
    return np.asarray(np.clip(whole + noise, -32768, 32767), np.int16)


def _figure(text: str | None) -> object:
    return float(text) if text and re.fullmatch(r"[01]\.\d+", text) else text


def _file(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"


def _renew(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = RUNS[name](Path(folder))
    kept = snapshot(name) if _file(name).exists() else []
    change = first_difference(kept, found)
    rounded = "as it was" if kept == found else f"as it was, but for probabilities within {TOLERANCE}"
    print(f"{name}: {change or rounded}", flush=True)  # noqa: T201 - a command of its own
    if change:
        _file(name).write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in found))


if __name__ == "__main__":
    for each in RUNS:
        _renew(each)
