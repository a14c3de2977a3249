from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from support.flips import flipped
from support.second_look import second_look
from support.turn_model import whole_model

from vser_stream.adapters.models.onnx_graph import GRAPH_ERRORS, open_graph
from vser_stream.adapters.models.onnx_second_look import FILE, NOTICE, OnnxSecondLook, answers, golden_sound, look_of
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.errors import ModelError
from vser_stream.training.classifier.second_look_graph import cut
from vser_stream.values import ANSWERS, RATE

MADE = second_look()
GRAPH, SECTION = MADE.graph, MADE.section
ROWS = np.zeros((1, len(MODEL_INPUT)), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_bytes(GRAPH)
    (tmp_path / NOTICE).write_text("by others")
    return tmp_path


def sums(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (FILE, NOTICE)}


def session() -> onnxruntime.InferenceSession:
    return open_graph(GRAPH, name="look")


def test_it_is_what_was_trained(folder: Path) -> None:
    look = look_of(folder, sums=sums(folder), document={"second_look": SECTION})
    assert look is not None
    assert (look.fusion, look.unless_calm) == (MADE.fusion, 0.9)
    found = look.judge.look(golden_sound(), ROWS)
    assert found is not None
    assert found.answers == pytest.approx(SECTION["golden"], abs=1e-4)


def test_a_model_may_do_without(tmp_path: Path) -> None:
    assert look_of(tmp_path, sums={}, document={}) is None


@pytest.mark.parametrize("name", [FILE, NOTICE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    before = sums(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: cannot be read .*; copy the whole model folder again"):
        look_of(folder, sums=before, document={"second_look": SECTION})


def test_a_notice_nobody_vouches_for_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="NOTICE: is not the file that was trained"):
        look_of(folder, sums={FILE: sums(folder)[FILE]}, document={"second_look": SECTION})


@pytest.mark.parametrize("name", [FILE, NOTICE])
def test_a_turned_over_bit_is_noticed(folder: Path, name: str) -> None:
    before, sound = sums(folder), (folder / name).read_bytes()
    for damaged in flipped(sound, times=20):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ModelError, match=f"{name}: is not the file that was trained"):
            look_of(folder, sums=before, document={"second_look": SECTION})


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\x00" * 100, GRAPH[: len(GRAPH) // 2], cut(whole_model())],
    ids=["empty", "zeros", "half", "no head"],
)
def test_a_file_somebody_vouches_for_wrongly_is_one_clear_line(folder: Path, damaged: bytes) -> None:
    (folder / FILE).write_bytes(damaged)
    with pytest.raises(ModelError, match="copy the whole model folder again or train it anew") as caught:
        look_of(folder, sums=sums(folder), document={"second_look": SECTION})
    assert "\n" not in str(caught.value)


def test_one_that_answers_otherwise_is_refused(folder: Path) -> None:
    golden = [0.9, 0.025, 0.025, 0.025, 0.025]
    with pytest.raises(ModelError, match=r"second_look.onnx: answers .* off its golden answer"):
        look_of(folder, sums=sums(folder), document={"second_look": SECTION | {"golden": golden}})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"bias": [0.0] * 4}, "second_look.bias"),
        ({"bias": [0.0, 0.0, float("nan"), 0.0, 0.0]}, "second_look.bias.2"),
        ({"first": -1.0}, "second_look.first"),
        ({"look": float("inf")}, "second_look.look"),
        ({"unless_calm": 1.5}, "second_look.unless_calm"),
        ({"golden": [0.5, 0.5]}, "second_look.golden"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(folder: Path, change: dict[str, Any], where: str) -> None:
    with pytest.raises(ModelError, match=f"its manifest has no {where} "):
        look_of(folder, sums=sums(folder), document={"second_look": SECTION | change})


def test_a_manifest_that_says_nothing_of_it_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="its manifest has no second_look"):
        look_of(folder, sums=sums(folder), document={})


@pytest.mark.parametrize("samples", [0, 1, 160, 6399, 6400, 8 * RATE, 20 * RATE])
def test_any_length_is_answered(samples: int) -> None:
    found = OnnxSecondLook(session()).look(np.resize(golden_sound(), samples), ROWS)
    assert found is not None
    assert sum(found.answers) == pytest.approx(1.0)


@pytest.mark.parametrize("level", [0, 1, 32767, -32768])
def test_a_sound_without_a_wave_is_answered(level: int) -> None:
    found = OnnxSecondLook(session()).look(np.full(RATE, level, np.int16), ROWS)
    assert found is not None
    assert sum(found.answers) == pytest.approx(1.0)


def test_the_answers_from_both_places_that_calm_is_measured_from_are_averaged() -> None:
    rows = np.random.default_rng(0).normal(0, 0.3, (2, len(MODEL_INPUT))).astype(np.float32)
    one, other = (answers(session(), golden_sound(), row[np.newaxis]) for row in rows)
    assert answers(session(), golden_sound(), rows) == pytest.approx((one + other) / 2, abs=1e-5)
    assert np.abs(one - other).max() > 0.01


def test_who_can_wait_hears_the_same_as_who_cannot() -> None:
    patient, hurried = OnnxSecondLook(session()), OnnxSecondLook(session(), within=120.0)
    assert hurried.look(golden_sound(), ROWS) == patient.look(golden_sound(), ROWS)
    assert (hurried.answered, hurried.late) == (1, 0)


class Stuck:
    """A session on a processor that has better things to do."""

    def __init__(self) -> None:
        self.freed = threading.Event()
        self.options: list[onnxruntime.RunOptions] = []

    def run(
        self, _outputs: list[str], _inputs: dict[str, Any], options: onnxruntime.RunOptions
    ) -> list[np.ndarray[Any, Any]]:
        self.options.append(options)
        assert self.freed.wait(120)
        return [np.full((1, len(ANSWERS)), 0.2, np.float32)]


def test_an_answer_nobody_can_wait_for_is_none_and_broken_off() -> None:
    stuck = Stuck()
    look = OnnxSecondLook(stuck, within=0.05)
    assert look.look(golden_sound(), ROWS) is None
    assert look.look(golden_sound(), ROWS) is None
    assert (look.answered, look.late) == (0, 2)
    assert [options.terminate for options in stuck.options] == [True]
    stuck.freed.set()


def test_a_look_that_was_broken_off_ends_before_its_answer() -> None:
    options = onnxruntime.RunOptions()
    options.terminate = True
    given = {"log_mel": np.zeros((1, 80, 100), np.float32), "X": ROWS}
    with pytest.raises(GRAPH_ERRORS):
        session().run(["probabilities"], given, options)
