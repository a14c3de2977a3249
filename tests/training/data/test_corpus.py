from __future__ import annotations

from pathlib import Path

import pytest

from vser_stream.errors import DataError
from vser_stream.training.data.corpus import Clip, read_corpora, read_manifest, sides_of
from vser_stream.training.data.sound_kinds import Answer, Role
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
        Clip("b.wav", tmp_path / "b.wav", speaker="s2", answer=Answer.PANIC, corpus="x"),
        Clip("a.wav", tmp_path / "a.wav", speaker="s1", answer=Answer.CALM, corpus="y"),
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
        (
            "path,speaker,label\na.wav,s,happy\n",
            ":2: unknown label 'happy'; use calm, angry, panic, other, sound",
        ),
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


def test_several_manifests_are_one_corpus_in_which_nothing_comes_twice(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    manifest(first, "path,speaker,label\na.wav,s1,calm\n")
    path = manifest(second, "path,speaker,label\na.wav,s1,panic\n")
    assert [clip.label for clip in read_manifest([first, path])] == [Label.CALM, Label.PANIC]
    again = second / "again.csv"
    again.write_text(path.read_text())
    with pytest.raises(DataError, match=r"two/again\.csv:2: a\.wav is already in .*two/manifest\.csv:2"):
        read_manifest([first, second, again])


def test_other_speech_and_sounds_are_read_and_no_labelled_speech(tmp_path: Path) -> None:
    rows = "a.wav,s1,other,happy\nb.wav,,sound,screaming\n"
    manifest(tmp_path, "path,speaker,label,original_label\n" + rows)
    happy, scream = read_corpora(tmp_path)
    assert (happy.answer, happy.label, happy.role) == (Answer.OTHER, Label.CALM, Role.VOICE)
    assert (scream.answer, scream.label, scream.role) == (Answer.SCREAM, Label.PANIC, Role.SCREAM)
    assert scream.speaker == "b.wav"
    with pytest.raises(DataError, match="has no rows to use"):
        read_manifest(tmp_path)


def clip(speaker: str, corpus: str) -> Clip:
    return Clip(f"{speaker}.wav", Path(f"{speaker}.wav"), speaker=speaker, answer=Answer.CALM, corpus=corpus)


def test_people_of_each_corpus_are_dealt_evenly_and_another_corpus_changes_nothing() -> None:
    one = [clip(f"a{index}", "one") for index in range(10)]
    two = [clip(f"b{index}", "two") for index in range(7)]
    sides = sides_of([*one, *two], 5)
    assert sorted(sides[it.person] for it in one) == sorted([*range(5), *range(5)])
    assert sides_of(two, 5) == {it.person: sides[it.person] for it in two}


def test_whoever_is_in_two_corpora_and_the_unknown_of_a_place_are_on_one_side() -> None:
    twice = [clip("a1", "one"), clip("a1", "one-other")]
    place = [clip("unk-house-001", "one"), clip("unk-house-002", "one"), clip("unk-house-scream", "two")]
    sides = sides_of([*twice, *place, *(clip(f"b{index}", "one-other") for index in range(9))], 5)
    assert {it.person for it in place} == {"unk-house"}
    assert set(sides) == {"a1", "unk-house", *(f"b{index}" for index in range(9))}
