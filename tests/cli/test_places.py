"""What people have is never lost to a verb that writes where they point it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.audio import voice, write
from typer.main import get_command

from vser_stream.cli import app, main

SITE = ("config", "password_file", "ca_file")
READS = {
    "run.config", "replay.files", "replay.config", "classify.manifest", "classify.root", "classify.model",
    "train.data", "train.study", "train.encoder", "train-reasoner.data", "train-reasoner.rules",
    "evaluate.encoder",
    "evaluate.data", "evaluate.model", "evaluate.reasoner", "probe.password_file", "doctor.config",
    "about.config", "reload.config",
    *(f"{verb}.{what}" for verb in ("watch", "ack", "pause", "resume") for what in SITE),
    "fhir.alert", "rescore.config", "rescore.model", "models verify.what",
    "config check.file", "config show.file",
    "records ls.config", "records export.config", "records verify.config", "outbox ls.config",
    "rules lint.file", "rules test.file", "rules explain.file", "rules explain.evidence",
    # These write, but only into the agent's state folder, which the configuration names.
    "calibrate.config", "purge.config", "outbox flush.config",
}  # fmt: skip
"""Paths that a verb only reads."""

FILES = {"evaluate.report": "--report", "classify.output": "--output"}
"""Options that name a file to write."""

FOLDERS = {
    "train.out": "--out",
    "train.cache": "--cache",
    "train-reasoner.out": "--out",
    "train-reasoner.cache": "--cache",
    "evaluate.cache": "--cache",
    "config schema.out": "--out",
    "models pull.to": "--to",
}
"""Options that name a folder to write into."""

MODELS = ("train.out", "train-reasoner.out")


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        yield name, command
        return
    for each in command.list_commands(None):
        yield from commands(command.get_command(None, each), f"{name} {each}".strip())


def paths() -> set[str]:
    """Every parameter of the command line that is a path."""
    found = set()
    for name, command in commands(get_command(app)):
        options = inspect.signature(command.callback, eval_str=True).parameters
        found |= {f"{name}.{what}" for what, option in options.items() if "Path" in str(option.annotation)}
    return found


def test_of_every_path_it_is_known_whether_it_is_written_to() -> None:
    known = READS | FILES.keys() | FOLDERS.keys()
    assert paths() - known == set(), "say above whether it is written to, and how foreign files survive that"
    assert known - paths() == set()


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a verb on good input, in this process: torch and scikit-learn take seconds to import."""
    write(tmp_path / "a.wav", voice(1.0))
    (tmp_path / "data.csv").write_text("path,speaker,label\na.wav,s,calm\n")
    (tmp_path / "clips.csv").write_text("path,speaker,role\na.wav,s,test\n")
    pull = ["pull", "http://127.0.0.1:1/some.gguf", "--sha256", "0" * 64]
    given = {
        "train": ["--data", "data.csv", "--out", "new", "--no-second-look"],
        "train-reasoner": ["--data", "data.csv", "--out", "new"],
        "evaluate": ["--data", "data.csv", "--no-second-look"],
        "classify": ["--manifest", "clips.csv", "--root", ".", "--output", "new.csv"],
        "config": ["schema"],
        "models": pull,
    }
    monkeypatch.chdir(tmp_path)

    def called(parameter: str, place: object) -> tuple[int, str]:
        option = (FILES | FOLDERS)[parameter]
        verb = re.split(r"[ .]", parameter)[0]
        monkeypatch.setattr(sys, "argv", ["vser-stream", verb, *given[verb], option, str(place)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return called


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def life(folder: Path, *names: str) -> Path:
    """A folder of somebody."""
    (folder / ".git").mkdir(parents=True)
    for name in (".git/config", "thesis.txt", *names):
        (folder / name).write_text("years of work")
    return folder


@pytest.mark.parametrize("parameter", MODELS)
@pytest.mark.parametrize("theirs", [(), ("manifest.toml",), ("model.gguf", "svm.onnx")])
def test_a_folder_of_somebody_else_is_refused_before_any_work(
    tmp_path: Path, run: Run, parameter: str, theirs: tuple[str, ...]
) -> None:
    folder = life(tmp_path / "life", *theirs)
    before = everything(tmp_path)
    code, said = run(parameter, folder)
    assert (code, said.count("\n")) == (2, 1)
    assert "is not empty and holds no manifest.toml of a trained" in said
    assert everything(tmp_path) == before


@pytest.mark.parametrize("parameter", FOLDERS)
def test_a_file_where_a_folder_should_go_stays(tmp_path: Path, run: Run, parameter: str) -> None:
    life(tmp_path / "life")
    before = everything(tmp_path)
    code, said = run(parameter, "life/thesis.txt")
    assert code in {2, 3, 4}
    assert said.count("\n") == 1
    assert "thesis.txt" in said
    assert everything(tmp_path) == before


@pytest.mark.parametrize("parameter", [*FOLDERS, *FILES])
def test_missing_folders_are_not_made(tmp_path: Path, run: Run, parameter: str) -> None:
    before = everything(tmp_path)
    code, said = run(parameter, "absent/new.html")
    assert code in {2, 3, 4}
    assert said.count("\n") == 1
    assert "absent" in said
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("parameter", "theirs", "place"),
    [
        ("evaluate.report", "life/mine.html", "life/mine.html"),
        ("evaluate.report", "life/mine.json", "life/mine.html"),
        ("evaluate.report", "life/mine.json", "life/mine.json"),
        ("classify.output", "life/mine.csv", "life/mine.csv"),
        ("classify.output", "life/mine.csv", "clips.csv"),
        ("config schema.out", "life/alert.schema.json", "life"),
        ("config schema.out", "life/asyncapi.json", "life"),
        ("models pull.to", "life/some.gguf", "life"),
    ],
)
def test_a_file_of_somebody_else_is_not_overwritten(
    tmp_path: Path, run: Run, parameter: str, theirs: str, place: str
) -> None:
    life(tmp_path / "life", Path(theirs).name)
    before = everything(tmp_path)
    code, said = run(parameter, place)
    assert (code, said.count("\n")) == (2, 1)
    assert everything(tmp_path) == before


def test_schemas_are_written_again_beside_whatever_else_is_there(tmp_path: Path, run: Run) -> None:
    life(tmp_path / "life", "mine.schema.json")
    before = everything(tmp_path / "life")
    assert run("config schema.out", "life")[0] == 0
    (tmp_path / "life" / "alert.schema.json").write_text(
        (tmp_path / "life" / "alert.schema.json").read_text().replace('"required"', '"needed"')
    )
    assert run("config schema.out", "life")[0] == 0
    after = everything(tmp_path / "life")
    assert after.items() >= before.items()
    assert b'"needed"' not in (after["alert.schema.json"] or b"")
