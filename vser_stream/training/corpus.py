"""The manifest of a corpus: a CSV file with a row for each labelled recording."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vser_stream.errors import DataError
from vser_stream.values import Label

__all__ = ["COLUMNS", "Clip", "read_manifest"]

COLUMNS = ("path", "speaker", "label")
"""What a manifest must have; corpus, language, gender and licence are used where they are there."""

_MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording of one speaker."""

    name: str
    """Path as the manifest gives it."""

    path: Path
    speaker: str
    label: Label
    corpus: str = ""
    language: str = ""
    gender: str = ""
    licence: str = ""


def read_manifest(data: Path, *, exclude: Iterable[str] = ()) -> tuple[Clip, ...]:
    """Return the clips of a corpus, in the order of its manifest.

    Args:
        data: The manifest, or the folder that holds it as ``manifest.csv``; paths in it are
            relative to its folder.
        exclude: Corpora whose rows are left out.

    Raises:
        DataError: A column, a value or a file is missing, a label is unknown, a row is given
            twice, or nothing is left.
    """
    manifest = data / _MANIFEST if data.is_dir() else data
    left_out = frozenset(exclude)
    clips: list[Clip] = []
    lines: dict[str, int] = {}
    for line, row in _rows(manifest):
        # Absolute: worker processes may stand in another folder.
        clip = _clip(row, f"{manifest}:{line}", manifest.resolve().parent)
        if clip.name in lines:
            raise DataError(
                f"{manifest}:{line}: {clip.name} is already in line {lines[clip.name]}; remove one of them"
            )
        lines[clip.name] = line
        if clip.corpus not in left_out:
            clips.append(clip)
    if not clips:
        raise DataError(f"{manifest}: has no rows to use; add a row for each recording")
    return tuple(clips)


def _rows(manifest: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{manifest}:1: has no column {', '.join(missing)}; add it to the header line"
                )
            return [(reader.line_num, row) for row in reader]
    except OSError as exc:
        raise DataError(
            f"{manifest}: cannot be read ({exc.strerror}); give a manifest CSV or its folder"
        ) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{manifest}: is not a CSV file in UTF-8; save it as one") from exc


def _clip(row: dict[str, str], where: str, folder: Path) -> Clip:
    empty = [column for column in COLUMNS if not row[column].strip()]
    if empty:
        raise DataError(f"{where}: {', '.join(empty)} is empty; fill it in or remove the row")
    name, label = row["path"].strip(), row["label"].strip()
    if label not in list(Label):
        raise DataError(f"{where}: unknown label {label!r}; use {', '.join(Label)}")
    path = folder / name
    if not path.is_file():
        raise DataError(f"{where}: {name} is missing; restore the file or remove the row")
    rest = {key: (row.get(key) or "").strip() for key in ("corpus", "language", "gender", "licence")}
    return Clip(name=name, path=path, speaker=row["speaker"].strip(), label=Label(label), **rest)
