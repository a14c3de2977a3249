import sys
from pathlib import Path

import pytest

from vser_stream.cli import main


def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[object, str]:
    """Exit code and what was said, in this process: torch and scikit-learn take seconds to import."""
    monkeypatch.setattr(sys, "argv", ["vser-stream", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


def test_what_is_missing_in_a_manifest_is_one_line_and_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\na.wav,calm\n")
    monkeypatch.chdir(tmp_path)
    code, said = told(
        monkeypatch,
        capsys,
        "train-reasoner",
        "--data",
        "manifest.csv",
        "--out",
        "reasoner-mine",
        "--cache",
        "cache",
    )
    assert code == 4
    assert "speaker" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "reasoner-mine").exists()


def test_a_version_the_table_does_not_have_is_one_line_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(
        monkeypatch, capsys, "evaluate", "--data", "x", "--reasoner", str(tmp_path), "--variants", "v1,v9"
    )
    assert (code, said.count("\n")) == (2, 1)
    assert "v9" in said
