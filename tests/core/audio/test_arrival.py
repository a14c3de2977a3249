import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.audio.arrival import ArrivalLine
from vser_stream.values import RATE

BLOCKS = st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 3)), min_size=1, max_size=60)
"""Length (samples), and how late it arrives (s)."""


@given(BLOCKS)
def test_nothing_is_heard_later_than_it_arrived(blocks: list[tuple[int, float]]) -> None:
    line, end, arrived = ArrivalLine(), 0, 0.0
    for n, late in blocks:
        end += n
        arrived = max(arrived, end / RATE + late)
        line.feed(end, arrived)
        assert line.time_of(end) <= arrived + 1e-9  # both are sums of floats


def test_the_backlog_of_a_stall_is_dated_by_when_it_was_heard() -> None:
    line = ArrivalLine()
    arrivals = [(n, n * 0.1) for n in range(1, 30)] + [(n, 5.0) for n in range(30, 51)]
    for n, arrived in arrivals:
        line.feed(n * RATE // 10, arrived)
        assert line.time_of(n * RATE // 10) == pytest.approx(0.1 * n)


@pytest.mark.parametrize("ppm", [-5000, 5000])
def test_a_clock_that_drifts_is_followed(ppm: int) -> None:
    line = ArrivalLine()
    for n in range(1, 36_000):
        arrived = n * 0.1 * (1 + ppm / 1e6)
        line.feed(n * RATE // 10, arrived)
        assert arrived - line.time_of(n * RATE // 10) <= 10.0 * 5000 / 1e6 + 0.001


def test_positions_and_times_go_together() -> None:
    line = ArrivalLine()
    line.feed(RATE, 7.0)
    assert [line.time_of(at) for at in (0, RATE)] == [6.0, 7.0]
    times = [line.time_of(at) for at in range(0, RATE, 100)]
    assert all(a < b for a, b in itertools.pairwise(times))
