import time

import pytest

from vser_stream.adapters.audio.arrival_clock import ArrivalClock, wall_time
from vser_stream.values import RATE


def test_a_block_is_heard_its_own_length_before_it_arrives() -> None:
    before = time.time()
    heard_at = ArrivalClock().heard_at(0, RATE)
    assert before <= heard_at + 1.0 <= time.time()


def test_a_backlog_is_dated_by_when_it_was_heard_and_never_after_it_arrived() -> None:
    clock = ArrivalClock()
    first = clock.heard_at(0, RATE)
    late = [clock.heard_at(RATE + n * 320, 320) for n in range(50)]
    assert late[0] <= time.time() - 320 / RATE
    assert first < late[0] + RATE / RATE  # all of it came at once: no later than that


def test_the_wall_clock_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ArrivalClock()
    clock.heard_at(0, RATE)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400.0)
    assert clock.heard_at(RATE, 320) == pytest.approx(real() + 86_400.0, abs=2.0)


def test_now_is_now() -> None:
    before = time.time()
    assert before <= wall_time(time.monotonic()) + 0.001 <= time.time() + 0.002
