"""Nothing leaves the box but to whom the configuration names, and no file lies where nobody expects it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from support.day import AFTERWARDS, OF_AN_ALARM, ROOT, VERBS
from support.egress import in_own_network
from typer.core import TyperGroup

from vser_stream.cli import app

CODES = {
    "train": 4,  # see support.day
    "train-reasoner": 4,
    "doctor": 6,  # nor a clock or memory that is promised
}
"""How each verb ends, where not with 0."""

MOMENTS = ("tmp", "/dev/shm")  # noqa: S108
"""For what is gone at the end, as others in the folder of the day."""

KEPT = ("state", "calm", "out", "home/.local/state/vser-stream", "home/.cache/vser-stream")
"""State, output and cache."""

SOUND = ("run/pulse", f"/dev/shm/jack_db-{os.getuid()}")  # noqa: S108
"""Where the sound system's own libraries, PulseAudio's and JACK's, look for their servers."""


pytestmark = pytest.mark.timeout(900)  # everything there is, once: half a minute where nothing else runs


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("day")
    in_network(folder, "-m", "support.day", str(folder), timeout=850)
    return json.loads((folder / "seen.json").read_text()), folder


def in_network(folder: Path, *command: str, timeout: float) -> None:
    places = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    subprocess.run(
        in_own_network([sys.executable, *command]),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places},
        timeout=timeout,
        check=True,
    )


def test_every_verb_has_its_day(day: tuple[dict[str, Any], Path]) -> None:
    commands = [command for verbs in (VERBS, OF_AN_ALARM, AFTERWARDS) for command in verbs.values()]
    whole = typer.main.get_command(app)
    assert isinstance(whole, TyperGroup)
    assert {command[0] for command in commands} | {"run", "watch"} == set(
        whole.list_commands(typer.Context(whole))
    )
    ended = {verb: one["code"] for verb, one in day[0]["verbs"].items()}
    assert ended == dict.fromkeys(ended, 0) | CODES, {v: one["said"] for v, one in day[0]["verbs"].items()}


def test_only_those_are_called_whom_the_configuration_names(day: tuple[dict[str, Any], Path]) -> None:
    assert day[0]["called"] == day[0]["named"]


def test_about_tells_them(day: tuple[dict[str, Any], Path]) -> None:
    told = json.loads(day[0]["verbs"]["about"]["told"])["leaves_the_box"]["to"]
    assert [int(re.findall(r":(\d+)", one["to"])[0]) for one in told] == day[0]["daemons"]


def test_files_are_written_where_they_are_expected_only(day: tuple[dict[str, Any], Path]) -> None:
    seen, folder = day
    astray = {
        verb: files
        for verb, one in seen["verbs"].items()
        if (files := unexpected(one["files"], folder, KEPT + MOMENTS))
    }
    assert astray == {}


def test_nothing_is_left_in_folders_for_the_moment(day: tuple[dict[str, Any], Path]) -> None:
    seen, folder = day
    assert unexpected(seen["left"], folder, ()) == []


def unexpected(files: list[str], folder: Path, expected: tuple[str, ...]) -> list[str]:
    """Those that lie in no place of ours, nor of the sound system, nor are devices or a process."""
    places = [
        *(folder / one for one in (*expected, *SOUND)),
        Path("/dev/null"),
        Path("/dev/snd"),
        Path("/proc"),
    ]
    ours = [path for place in places for path in (place, *place.parents)]
    return [
        file
        for file in files
        if Path(file) not in ours and not any(Path(file).is_relative_to(place) for place in places)
    ]


CARELESS = """
import os, socket
for call in (
    lambda: socket.getaddrinfo("telemetry.example", 443),
    lambda: socket.create_connection(("203.0.113.7", 443)),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"", ("2001:db8::7", 123)),
):
    try:
        call()
    except OSError:
        pass
os.mkdir("a")
open("a/b", "w").close()
os.rename("a/b", "c")
"""

WATCHER = f"""
import json, sys
from pathlib import Path
from support.egress import Packets, enter_own_network, watched
enter_own_network()
command = [sys.executable, "-c", {CARELESS!r}]
with Packets() as packets:
    with watched(command, folder=Path("traces"), cwd=Path.cwd(), environment={{}}) as run:
        run.process.wait()
Path("seen.json").write_text(json.dumps([sorted(packets.called), sorted(run.files)]))
"""


def test_whoever_is_careless_is_seen(tmp_path: Path) -> None:
    in_network(tmp_path, "-c", WATCHER, timeout=60)
    called, files = json.loads((tmp_path / "seen.json").read_text())
    assert called == [
        "tcp 203.0.113.7:443",
        "udp 192.0.2.53:53 telemetry.example",
        "udp [2001:db8::7]:123",
    ]
    assert unexpected(files, tmp_path, ()) == [str(tmp_path / name) for name in ("a", "a/b", "c")]
