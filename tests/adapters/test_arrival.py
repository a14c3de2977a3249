import time

import pytest

from vser_stream.adapters.arrival import ArrivalClock
from vser_stream.values import RATE


def test_a_block_is_heard_its_own_length_before_it_arrives() -> None:
    assert ArrivalClock().heard_at(RATE) == pytest.approx(time.time() - 1.0, abs=0.05)


def test_a_burst_never_runs_backwards() -> None:
    clock = ArrivalClock()
    first = clock.heard_at(RATE // 10)
    assert clock.heard_at(2 * RATE) == first


def test_a_wall_clock_that_was_set_back_is_followed() -> None:
    clock = ArrivalClock()
    clock.heard_at(0)
    assert clock.heard_at(60 * RATE) == pytest.approx(time.time() - 60.0, abs=0.05)
