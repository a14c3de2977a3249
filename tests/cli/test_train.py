import sys
from pathlib import Path

import pytest
from support.audio import voice, write

from vser_stream.cli import main

HEADER = "path,speaker,label\n"


@pytest.mark.parametrize("verb", [["train", "--out", "model"], ["evaluate"]])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,label\na.wav,calm\n", "speaker"),
        (HEADER + "a.wav,s,sad\n", "sad"),
        (HEADER + "absent.wav,s,calm\n", "absent.wav"),
        (HEADER + "a.wav,s,calm\n", "record more"),
    ],
    ids=["a column", "a label", "a file", "speakers"],
)
def test_what_is_missing_in_a_manifest_is_one_line_and_code_4(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: list[str],
    text: str,
    says: str,
) -> None:
    write(tmp_path / "a.wav", voice(1.0))
    (tmp_path / "manifest.csv").write_text(text)
    monkeypatch.chdir(tmp_path)
    # In this process: scikit-learn and matplotlib take seconds to import.
    monkeypatch.setattr(sys, "argv", ["vser-stream", *verb, "--data", "manifest.csv", "--cache", "cache"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "model").exists()
