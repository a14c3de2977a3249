from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import Prior
from vser_stream.training.evaluation.events.feature_memory import Memory, Recalling
from vser_stream.values import Probabilities, Rows, Segment, SegmentKind

ONES = np.ones(len(FEATURES), np.float32)
PITCH = SwiftF0Tracker()
PCM = voice(1.0)


class Calm:
    def score(self, rows: Rows) -> Probabilities:
        assert len(rows)
        return Probabilities(0.9, 0.06, 0.04)


JUDGE = Judge(Calm(), Prior(ONES, ONES, ONES), escalate_below=0.5)


def segment(*, start: int = 0, kind: SegmentKind = SegmentKind.UTTERANCE) -> Segment:
    return Segment(kind, PCM.copy(), start, onset=start, end=start + len(PCM), heard_at=0.0, floor_db=-60.0)


def recalling(memory: Memory) -> Recalling:
    return Recalling(JUDGE, PITCH, memory=memory)


def test_what_is_recalled_is_what_would_have_been_measured(tmp_path: Path) -> None:
    file = tmp_path / "home.npz"
    memory = Memory(file)
    measured = recalling(memory).measure(segment())
    assert np.array_equal(measured, Decider(JUDGE, PITCH).measure(segment()))
    memory.keep()
    again = recalling(Memory(file)).measure(segment())
    assert np.array_equal(again, measured)
    assert again.dtype == np.float32


def test_a_segment_that_is_known_is_not_measured_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "home.npz")
    memory.rows[False, 0, len(PCM)] = 7 * ONES
    assert recalling(memory).measure(segment()) is memory.rows[False, 0, len(PCM)]


@pytest.mark.parametrize("other", [segment(start=1), segment(kind=SegmentKind.WINDOW)])
def test_a_window_or_another_place_is_another_segment(tmp_path: Path, other: Segment) -> None:
    memory = Memory(tmp_path / "home.npz")
    decider = recalling(memory)
    decider.measure(segment())
    decider.measure(other)
    assert len(memory.rows) == 2


def test_a_file_is_written_only_where_something_was_added(tmp_path: Path) -> None:
    file = tmp_path / "home.npz"
    Memory(file).keep()
    assert list(tmp_path.iterdir()) == []
    memory = Memory(file)
    recalling(memory).measure(segment())
    memory.keep()
    assert list(tmp_path.iterdir()) == [file], "and no scratch file is left"
    written = file.stat().st_mtime_ns
    memory.keep()
    again = Memory(file)
    recalling(again).measure(segment())
    again.keep()
    assert file.stat().st_mtime_ns == written
    assert set(again.rows) == {(False, 0, len(PCM))}
