"""A verb imports what it needs: on a small box the libraries of all of them take seconds to load."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.audio import voice, write
from support.broker import free_port
from support.daemon import configuration
from typer.main import get_command
from typer.testing import CliRunner

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.cli import app

LISTENING = {"av", "onnxruntime", "python_speech_features", "scipy", "sounddevice", "webrtcvad"}
"""Libraries that only whoever listens needs."""

LARGE = LISTENING | {"aiomqtt", "asyncio", "numpy", "prometheus_client", "pydantic"}

TELLING = """
import sys
from vser_stream.cli import main
sys.argv[0] = "vser-stream"
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported(*arguments: object, code: int = 0) -> set[str]:
    """Names of the modules a verb had imported when it was done."""
    done = subprocess.run(
        [sys.executable, "-c", TELLING, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr[:2000]
    return set(done.stderr.splitlines()[-1].split())


def test_help_imports_no_verb_and_no_large_library() -> None:
    modules = imported("--help")
    assert modules.isdisjoint(LARGE)
    assert {name for name in modules if name.startswith("vser_stream.")} == {
        "vser_stream.cli", "vser_stream.cli._terminal", "vser_stream.errors",
    }  # fmt: skip


def test_to_see_what_waits_nothing_is_imported_that_listens(tmp_path: Path) -> None:
    with SqliteOutbox(tmp_path / "state/outbox.db"):
        pass
    modules = imported("outbox", "ls", "--config", configuration(tmp_path, free_port()))
    assert "vser_stream.adapters.storage.database_reader" in modules
    assert modules.isdisjoint(LISTENING)


def test_to_acknowledge_nothing_is_imported_that_listens() -> None:
    modules = imported("ack", "a1", "--host", "127.0.0.1", "--port", free_port(), "--site", "test", code=5)
    assert "aiomqtt" in modules
    assert modules.isdisjoint(LISTENING)


def test_who_listens_imports_what_it_takes(tmp_path: Path) -> None:
    """Else the tests above could not fail."""
    modules = imported("replay", write(tmp_path / "voice.wav", voice(1.0)))
    assert modules >= LISTENING - {"sounddevice"}


def test_a_verb_is_listed_as_it_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listed = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    group: Any = get_command(app)
    verbs = {name: group.get_command(None, name) for name in group.list_commands(None)}
    assert verbs
    for name, verb in verbs.items():
        first = " ".join(verb.help.split("\n\n")[0].split())
        assert f" {name} {first} " in listed
