from __future__ import annotations

from pathlib import Path

import pytest

from vser_stream.errors import DataError
from vser_stream.training.corpus import Clip, read_manifest
from vser_stream.values import Label


def manifest(folder: Path, text: str) -> Path:
    for name in ("a.wav", "b.wav"):
        (folder / name).touch()
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_gives_its_clips_in_order(tmp_path: Path) -> None:
    manifest(tmp_path, "corpus,path,speaker,label\nx,b.wav,s2,panic\ny,a.wav,s1,calm\n")
    assert read_manifest(tmp_path) == (
        Clip("b.wav", tmp_path / "b.wav", speaker="s2", label=Label.PANIC, corpus="x"),
        Clip("a.wav", tmp_path / "a.wav", speaker="s1", label=Label.CALM, corpus="y"),
    )


def test_excluded_corpora_are_left_out(tmp_path: Path) -> None:
    path = manifest(tmp_path, "corpus,path,speaker,label\nx,b.wav,s2,panic\ny,a.wav,s1,calm\n")
    assert [clip.name for clip in read_manifest(path, exclude=["x"])] == ["a.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.wav,calm\n", ":1: has no column speaker; add it to the header"),
        ("", ":1: has no column path, speaker, label; add it to the header"),
        ("path,speaker,label\n", ": has no rows to use; add a row for each recording"),
        ("path,speaker,label\na.wav,s,happy\n", ":2: unknown label 'happy'; use calm, angry, panic"),
        ("path,speaker,label\na.wav,s,calm\nc.wav,s,calm\n", ":3: c.wav is missing; restore the file"),
        ("path,speaker,label\na.wav,,calm\n", ":2: speaker is empty; fill it in or remove the row"),
        ("path,speaker,label\na.wav,s\n", ":2: label is empty; fill it in or remove the row"),
        (
            "path,speaker,label\na.wav,s,calm\na.wav,s,panic\n",
            ":3: a.wav is already in line 2; remove one of them",
        ),
    ],
)
def test_a_bad_manifest_is_refused_with_file_line_and_what_to_do(
    tmp_path: Path, text: str, message: str
) -> None:
    path = manifest(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read .*; give a manifest CSV or its folder"):
        read_manifest(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="is not a CSV file in UTF-8; save it as one"):
        read_manifest(path)
