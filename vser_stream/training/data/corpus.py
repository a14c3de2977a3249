"""The manifests of corpora: CSV files with a row for each labelled recording."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vser_stream.errors import DataError
from vser_stream.training.data.sound_kinds import OUTSIDE, Answer, Role, answer_of, role_of
from vser_stream.values import Label

__all__ = ["COLUMNS", "Clip", "Data", "read_corpora", "read_manifest", "sides_of"]

Data = Path | Sequence[Path]
"""Manifests, or the folders that hold them as ``manifest.csv``; paths in one are relative to its folder."""

COLUMNS = ("path", "speaker", "label")
"""What a manifest must have; others are used where they are there: corpus, original_label (the corpus's own
word for what it is), language, gender, licence."""

_OTHER, _SOUND = "other", "sound"
"""Labels beside the three: speech that is none of them, and what is no speech."""

_MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording, of one speaker if it is of any."""

    name: str
    """Path as the manifest gives it."""

    path: Path
    speaker: str
    """Of a sound without a speaker its name: it is alone."""

    answer: Answer
    role: Role = Role.VOICE
    corpus: str = ""
    language: str = ""
    gender: str = ""
    licence: str = ""

    @property
    def label(self) -> Label:
        """What may be told of it outside."""
        return OUTSIDE[self.answer]

    @property
    def spoken(self) -> bool:
        """It is calm, angry or frightened speech."""
        return self.answer not in {Answer.OTHER, Answer.SCREAM}

    @property
    def alone(self) -> bool:
        """It is a voice, and none of those."""
        return not self.spoken and self.role in {Role.VOICE, Role.LIVELY, Role.SCREAM, Role.LOOK_ALIKE}

    @property
    def person(self) -> str:
        """Who or what must not be on both sides of a split: recordings of unknown people, by their place."""
        return re.sub(r"^(unk-.+)-[^-]+$", r"\1", self.speaker)


def read_manifest(data: Data, *, exclude: Iterable[str] = ()) -> tuple[Clip, ...]:
    """Return the calm, angry and panic speech of corpora, in the order of their manifests.

    Args:
        data: The manifests.
        exclude: Corpora whose rows are left out.

    Raises:
        DataError: As :func:`read_corpora`, or no such speech is left.
    """
    spoken = tuple(clip for clip in read_corpora(data, exclude=exclude) if clip.spoken)
    if not spoken:
        raise _nothing(data)
    return spoken


def read_corpora(data: Data, *, exclude: Iterable[str] = ()) -> tuple[Clip, ...]:
    """Return all there is to hear in corpora: speech of every kind, and sounds.

    Raises:
        DataError: A column, a value or a file is missing, a label is unknown, a recording is given
            twice, or nothing is left.
    """
    left_out = frozenset(exclude)
    clips: list[Clip] = []
    seen: dict[Path, tuple[Path, int]] = {}
    for manifest in _manifests(data):
        for line, row in _rows(manifest):
            # Absolute: worker processes may stand in another folder.
            clip = _clip(row, f"{manifest}:{line}", manifest.resolve().parent)
            if clip.path in seen:
                other, before = seen[clip.path]
                where = f"line {before}" if other == manifest else f"{other}:{before}"
                raise DataError(f"{manifest}:{line}: {clip.name} is already in {where}; remove one of them")
            seen[clip.path] = manifest, line
            if clip.corpus not in left_out:
                clips.append(clip)
    if not clips:
        raise _nothing(data)
    return tuple(clips)


def sides_of(clips: Iterable[Clip], count: int) -> dict[str, int]:
    """Deal every person, and every sound, to one of ``count`` sides, the people of each corpus evenly.

    What is heard on one side is never heard on another; a corpus more or less changes nothing for others.
    """
    corpora: dict[str, str] = {}
    for clip in sorted(clips, key=lambda clip: clip.corpus):
        corpora.setdefault(clip.person, clip.corpus)
    families: dict[str, list[str]] = defaultdict(list)
    for person, corpus in corpora.items():
        families[corpus].append(person)
    return {
        person: (_number(corpus) + turn) % count
        for corpus, people in families.items()
        for turn, person in enumerate(sorted(people, key=_number))
    }


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def _manifests(data: Data) -> list[Path]:
    given = [data] if isinstance(data, Path) else data
    return [path / _MANIFEST if path.is_dir() else path for path in given]


def _nothing(data: Data) -> DataError:
    names = ", ".join(map(str, _manifests(data)))
    return DataError(f"{names}: has no rows to use; add a row for each recording")


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
    name, speaker, label = (row[column].strip() for column in COLUMNS)
    needed = {"path": name, "label": label} | ({"speaker": speaker} if label in list(Label) else {})
    if empty := [column for column, value in needed.items() if not value]:
        raise DataError(f"{where}: {', '.join(empty)} is empty; fill it in or remove the row")
    if label not in (*Label, _OTHER, _SOUND):
        raise DataError(f"{where}: unknown label {label!r}; use {', '.join((*Label, _OTHER, _SOUND))}")
    path = folder / name
    if not path.is_file():
        raise DataError(f"{where}: {name} is missing; restore the file or remove the row")
    corpus, kind, language, gender, licence = (
        (row.get(key) or "").strip() for key in ("corpus", "original_label", "language", "gender", "licence")
    )
    role = role_of(label, corpus=corpus, kind=kind)
    return Clip(name, path, speaker or name, answer_of(label, role), role, corpus, language, gender, licence)
