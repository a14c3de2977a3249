import sys
from pathlib import Path

import pytest
from support.audio import voice, write
from support.corpora import write_corpus, write_sounds

from vser_stream.cli import main

HEADER = "path,speaker,label\n"


def ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[object, str]:
    """Exit code and what was said, in this process: scikit-learn and matplotlib take seconds to import."""
    monkeypatch.setattr(sys, "argv", ["vser-stream", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


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
    code, said = ended(
        monkeypatch, capsys, *verb, "--data", "manifest.csv", "--cache", "cache", "--no-second-look"
    )
    assert code == 4
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--encoder", "none.whl"), 4, "none.whl: cannot be read"),
        (("--encoder", "other.onnx"), 4, "is not the file of pipecat-ai==1.14.0"),
        (("--encoder", "other.onnx", "--no-second-look"), 2, "exclude each other; give one of them"),
    ],
    ids=["a file", "the file", "one of both"],
)
def test_what_is_wrong_with_the_second_look_is_one_line_before_anything_is_computed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    corpora = [
        write_corpus(tmp_path / "said", speakers=2, clips=1),
        write_sounds(tmp_path / "sounds", each=1),
    ]
    (tmp_path / "other.onnx").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    data = [word for folder in corpora for word in ("--data", str(folder))]
    found, said = ended(monkeypatch, capsys, "train", *data, "--out", "model", "--cache", "cache", *more)
    assert (found, said.count("\n")) == (code, 1)
    assert says in said
    assert not list((tmp_path / "cache").rglob("*.npy"))
    assert not (tmp_path / "model").exists()


def test_without_screams_there_is_no_second_look_and_that_is_said_before_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_corpus(tmp_path / "said", speakers=2, clips=1)
    monkeypatch.chdir(tmp_path)
    words = ("train", "--data", str(data), "--out", "model", "--cache", "cache", "--encoder", "none.whl")
    code, said = ended(monkeypatch, capsys, *words)
    assert code == 4
    assert "no clip of other, scream for the second look to learn from; add some" in said
