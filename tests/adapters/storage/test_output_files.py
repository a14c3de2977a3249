from __future__ import annotations

import os
from pathlib import Path

import pytest

from vser_stream.adapters.storage.output_files import check_file, check_folder, replace_file, replacing
from vser_stream.errors import UserError

OWN = ("manifest", "weights", "card")


def ours(_: object) -> bool:
    return True


def theirs(_: object) -> bool:
    return False


def fill(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_whole_with_the_permissions_of_any_other(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    replace_file(path, b"new")
    (tmp_path / "usual").touch()
    assert content(tmp_path) == {"table.csv": "new", "usual": ""}
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert content(tmp_path) == {"table.csv": "old"}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    there = fill(tmp_path / "there", table="old")
    (tmp_path / "table").symlink_to(there / "table")
    replace_file(tmp_path / "table", b"new")
    assert (tmp_path / "table").is_symlink()
    assert content(there) == {"table": "new"}


def test_files_of_a_folder_come_together_and_all_others_stay(tmp_path: Path) -> None:
    folder = fill(tmp_path / "mine", manifest="old", weights="old", card="old", thesis="mine")
    with replacing(folder, OWN) as new:
        fill(new, manifest="new", weights="new")
        assert content(folder)["manifest"] == "old"
    assert content(folder) == {"manifest": "new", "weights": "new", "thesis": "mine"}
    assert names(tmp_path) == ["mine"]


@pytest.mark.parametrize("fails_at", range(5))
def test_a_swap_that_fails_or_is_interrupted_at_any_step_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    before = {"manifest": "old", "weights": "old", "thesis": "mine"}
    folder, rename, renamed = fill(tmp_path / "mine", **before), Path.rename, 0

    def interrupted(self: Path, target: Path) -> Path:
        nonlocal renamed
        renamed += 1
        if renamed == fails_at + 1:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(folder, OWN) as new:
        fill(new, manifest="new", weights="new", card="new")
    assert content(folder) == before
    assert names(tmp_path) == ["mine"]


def test_what_vouches_for_a_folder_is_never_there_with_files_of_another_edition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename = fill(tmp_path / "mine", manifest="old", weights="old", card="old"), Path.rename
    seen: list[set[str]] = []

    def watched(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        if "manifest" in (found := content(folder)):
            seen.append(set(found.values()))
        return moved

    monkeypatch.setattr(Path, "rename", watched)
    with replacing(folder, OWN) as new:
        fill(new, manifest="new", weights="new", card="new")
    assert seen == [{"new"}]


def test_an_error_before_the_end_touches_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "mine", manifest="old")
    with pytest.raises(UnicodeEncodeError), replacing(folder, OWN) as new:
        fill(new, manifest="new", card="\ud800")
    assert content(folder) == {"manifest": "old"}


@pytest.mark.parametrize("check", [check_file, check_folder])
def test_nothing_there_is_a_good_place_but_its_folder_must_exist(tmp_path: Path, check: object) -> None:
    assert callable(check)
    check(tmp_path / "new", ours=theirs, what="ours")
    with pytest.raises(UserError, match=r"the folder .*absent does not exist; make it first"):
        check(tmp_path / "absent" / "new", ours=theirs, what="ours")
    assert names(tmp_path) == []


def test_a_file_is_replaced_only_if_it_is_empty_or_ours(tmp_path: Path) -> None:
    path = tmp_path / "thesis"
    path.touch()
    check_file(path, ours=theirs, what="a table")
    path.write_text("mine")
    check_file(path, ours=ours, what="a table")
    with pytest.raises(UserError, match="exists and is not a table"):
        check_file(path, ours=theirs, what="a table")
    with pytest.raises(UserError, match="is not a file"):
        check_file(tmp_path, ours=ours, what="a table")


def test_a_folder_is_used_only_if_it_is_empty_or_ours(tmp_path: Path) -> None:
    check_folder(tmp_path, ours=theirs, what="model")
    (tmp_path / "thesis").touch()
    check_folder(tmp_path, ours=ours, what="model")
    with pytest.raises(UserError, match="is not empty and holds no model"):
        check_folder(tmp_path, ours=theirs, what="model")
    with pytest.raises(UserError, match="is not a folder"):
        check_folder(tmp_path / "thesis", ours=ours, what="model")
