from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.loudness import LOUDNESS, UNKNOWN, Loudness
from vser_stream.values import Vector

P50, P95 = FEATURES.index("level_p50"), FEATURES.index("level_p95")
levels = st.lists(st.floats(-90.0, 0.0), min_size=3, max_size=60)


def said(level: float, *, peak: float = 8.0) -> Vector:
    """A row of features at a level, and that much more in its loudest moments (dB)."""
    vector = np.zeros(len(FEATURES), np.float32)
    vector[[P50, P95]] = level, level + peak
    return vector


def after(heard: list[float]) -> Loudness:
    loudness = Loudness()
    for level in heard:
        loudness = loudness.after(said(level))
    return loudness


@pytest.mark.parametrize("heard", [[], [-30.0], [-30.0, -20.0]])
def test_of_a_source_that_was_just_opened_nothing_is_said(heard: list[float]) -> None:
    assert after(heard).columns(said(-3.0)).tolist() == UNKNOWN.tolist() == [0.0] * len(LOUDNESS)


@given(levels, st.floats(-90.0, 0.0), st.floats(-40.0, 40.0))
def test_a_microphone_that_hears_all_louder_changes_nothing(
    heard: list[float], level: float, gain: float
) -> None:
    found = after(heard).columns(said(level))
    louder = after([one + gain for one in heard]).columns(said(level + gain))
    assert louder == pytest.approx(found, abs=1e-3)


@given(levels, st.floats(-500.0, 500.0))
def test_however_loud_it_is_the_columns_are_bounded(heard: list[float], level: float) -> None:
    over, peak, known = after(heard).columns(said(level)).tolist()
    assert abs(over) <= 4.0
    assert abs(peak) <= 4.0
    assert 0.0 < known <= 1.0


def test_it_is_told_in_units_of_6_db_over_what_is_usual_among_the_louder() -> None:
    heard = after([-40.0, -40.0, -40.0, -28.0, -28.0, -28.0])  # a radio, and the one who lives there
    near, far = heard.columns(said(-28.0)), heard.columns(said(-40.0))
    assert near.tolist() == pytest.approx([0.0, 8 / 6, 6 / 8])
    assert far.tolist() == pytest.approx([-2.0, -2.0 + 8 / 6, 6 / 8])


def test_what_was_heard_long_ago_is_forgotten_and_known_ends_at_one() -> None:
    assert after([-60.0] * 100).columns(said(-30.0))[2] == 1.0
    assert after([-60.0] * 100 + [-30.0] * 40).columns(said(-30.0))[0] == pytest.approx(0.0)


@pytest.mark.parametrize("heard", [2, 3, 20])
def test_columns_are_single_precision_however_much_was_heard(heard: int) -> None:
    assert after([-30.0] * heard).columns(said(-20.0)).dtype == np.float32
