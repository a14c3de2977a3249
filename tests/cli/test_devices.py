import json
from pathlib import Path

import pytest
from support.command import vser_stream
from support.sound_server import sound_server


def test_the_microphones_of_this_box_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sound_server(tmp_path) as server:
        monkeypatch.setenv("PULSE_SERVER", server.address)
        listed = vser_stream("devices", "--json")
        table = vser_stream("devices")
    devices = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(one["name"], one["is_default"]) for one in devices] == [("pulse", False), ("default", True)]
    assert (table.returncode, "pulse" in table.stdout) == (0, True)


def test_where_there_is_none_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    done = vser_stream("devices")
    assert (done.returncode, done.stdout.startswith("no microphone found")) == (0, True)
