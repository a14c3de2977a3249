"""Which configuration a verb works with where none is given."""

from pathlib import Path

import pytest
from support.command import vser_stream

from vser_stream.cli import main
from vser_stream.config import loader


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command line, in this process."""
    monkeypatch.setattr("sys.argv", ["vser-stream", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


NEEDING = [
    ["run"],
    ["doctor"],
    ["calibrate", "bedroom"],
    ["reload"],
    ["purge"],
    ["records", "ls"],
    ["records", "export"],
    ["records", "verify"],
    ["outbox", "ls"],
    ["outbox", "flush"],
    ["rescore", "1"],
    ["watch", "--json"],
    ["ack", "1"],
    ["pause", "bedroom", "--minutes", "1"],
    ["resume", "bedroom"],
]
"""Every verb that speaks of an agent."""


@pytest.mark.parametrize("arguments", NEEDING, ids=" ".join)
def test_the_installed_one_is_taken_and_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.delenv("VSER_CONFIG", raising=False)
    installed = tmp_path / "vser.toml"
    monkeypatch.setattr(loader, "INSTALLED", installed)
    assert run(monkeypatch, *arguments) == 2
    assert "--config FILE" in capsys.readouterr().err
    installed.write_text("no TOML")
    assert run(monkeypatch, *arguments) != 2
    told = capsys.readouterr()
    assert f"vser-stream: configuration {installed}\n" in told.err
    assert f"{installed}: not a TOML file" in told.err + told.out


def test_a_variable_says_which_and_an_option_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSER_CONFIG", str(tmp_path / "by-variable.toml"))
    assert "by-variable.toml: cannot be read" in vser_stream("records", "ls").stderr
    told = vser_stream("records", "ls", "--config", tmp_path / "given.toml").stderr
    assert "given.toml: cannot be read" in told
    assert "by-variable" not in told
