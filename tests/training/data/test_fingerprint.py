"""What is kept on disk is only used by the code that made it, whatever that code is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.renamed import renamed

import vser_stream
from vser_stream.core.audio.clip import clip_segment
from vser_stream.training.data.fingerprint import fingerprint, fingerprint_of

PACKAGE = Path(vser_stream.__path__[0])
ROWS = (
    ("vser_stream.training.data.feature_cache", "_chunk"),
    ("vser_stream.training.data.feature_cache", "_Features"),
)
SCENES = (("vser_stream.training.simulation.scenes", "compose"),)


def small(folder: Path, **changed: str) -> str:
    """Fingerprint of a small package with some modules changed."""
    written = {
        "__init__": "",
        "maker": "from small.middle import middle\n\ndef make():\n    return middle()\n",
        "middle": "from small import constants\n\ndef middle():\n    return constants.VALUE\n",
        "constants": "VALUE = 1\n",
        "elsewhere": "VALUE = 2\n",
    } | changed
    package = folder / str(len(list(folder.iterdir()))) / "small"
    package.mkdir(parents=True)
    for name, text in written.items():
        (package / f"{name}.py").write_text(text)
    return fingerprint_of((("small.maker", "make"),), package)


@pytest.mark.parametrize(
    "changed",
    [
        {"constants": "VALUE = 3\n"},
        {"constants": "VALUE = 1\nVALUE += 1\n"},
        {"constants": "VALUE = [1]\nVALUE.append(2)\n"},
        {"constants": "from small.elsewhere import VALUE\n"},
        {"constants": "import os\n\nif os.name:\n    VALUE = 1\nelse:\n    VALUE = 2\n"},
        {"middle": "def middle():\n    from small.constants import VALUE\n    return VALUE + 1\n"},
        {"maker": "from math import pi as middle\n\ndef make():\n    return middle()\n"},
        {"maker": "from cmath import pi as middle\n\ndef make():\n    return middle()\n"},
    ],
)
def test_whatever_the_maker_depends_on_counts(tmp_path: Path, changed: dict[str, str]) -> None:
    others = [
        {},
        {"constants": "VALUE = [1]\n"},
        {"maker": "from math import tau as middle\n\ndef make():\n    return middle()\n"},
    ]
    assert small(tmp_path, **changed) not in {small(tmp_path, **other) for other in others}


@pytest.mark.parametrize(
    "changed",
    [
        {"elsewhere": "VALUE = 4\n"},
        {"constants": '"""Of the world."""\n\nVALUE = 1  # one\n"""It is."""\n'},
        {"middle": "from small import constants\n\ndef middle():\n    return constants.VALUE\n\nOTHER = 7\n"},
        {
            "middle": "from small import far as constants\n\ndef middle():\n    return constants.VALUE\n",
            "far": "VALUE = 1\n",
            "constants": "",
        },
    ],
)
def test_nothing_else_counts(tmp_path: Path, changed: dict[str, str]) -> None:
    assert small(tmp_path, **changed) == small(tmp_path)


def test_names_and_places_of_modules_do_not_count(tmp_path: Path) -> None:
    copy = renamed(
        tmp_path,
        {
            "core.audio.clip": "core.audio.recording",
            "core.audio.segment": "core.audio.pieces",
            "adapters.audio.ffmpeg": "adapters.audio.decoder",
            "training.data.augment": "training.data.spoil",
            "training.simulation.room": "training.homes.room",
        },
    )
    for makers in (ROWS, SCENES):
        assert fingerprint_of(makers, copy) == fingerprint_of(makers, PACKAGE)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (
            "adapters/audio/ffmpeg.py",
            'AudioResampler("s16", "mono", RATE)',
            'AudioResampler("s16", "mono", 8000)',
        ),
        ("adapters/audio/recording.py", "RATE // 10", "RATE // 20"),
        ("config/schema.py", "Field(1.0, ge=0.25", "Field(1.5, ge=0.25"),
        ("core/audio/segment.py", "def flush", "def _flush"),
        ("core/features/tracks.py", "-(-start // HOP)", "start // HOP"),
        ("values.py", "RATE = 16_000", "RATE = 8_000"),
    ],
)
def test_rows_of_features_depend_on_all_between_the_recording_and_them(
    tmp_path: Path, file: str, before: str, after: str
) -> None:
    copy = renamed(tmp_path, {})
    text = (copy / file).read_text()
    assert before in text
    (copy / file).write_text(text.replace(before, after))
    assert fingerprint_of(ROWS, copy) != fingerprint_of(ROWS, PACKAGE)


def test_rows_of_features_do_not_depend_on_when_an_alarm_is_raised(tmp_path: Path) -> None:
    copy = renamed(tmp_path, {})
    for file in (copy / "core/alarm").glob("*.py"):
        file.write_text("")
    assert fingerprint_of(ROWS, copy) == fingerprint_of(ROWS, PACKAGE)


def test_functions_are_found_where_they_are() -> None:
    clip = (("vser_stream.core.audio.clip", "clip_segment"),)
    assert fingerprint(clip_segment) == fingerprint_of(clip, PACKAGE)
    with pytest.raises(ValueError, match=r"vser_stream.core.audio.clip.nothing is no code of"):
        fingerprint_of((("vser_stream.core.audio.clip", "nothing"),), PACKAGE)
