import pytest
from support.clock import SetClock
from support.decisions import START

from vser_stream.adapters.audio.arrival_clock import ArrivalClock, wall_time
from vser_stream.values import RATE


def test_a_block_is_heard_its_own_length_before_it_arrives() -> None:
    assert ArrivalClock(clock=SetClock()).heard_at(0, RATE) == START - 1.0


def test_a_backlog_is_dated_by_when_it_was_heard_and_never_after_it_arrived() -> None:
    arriving = ArrivalClock(clock=SetClock())
    first = arriving.heard_at(0, RATE)
    late = [arriving.heard_at(RATE + n * 320, 320) for n in range(50)]
    assert late[0] <= START - 320 / RATE
    assert first < late[0] + RATE / RATE  # all of it came at once: no later than that


def test_the_wall_clock_is_followed_at_once() -> None:
    clock = SetClock()
    arriving = ArrivalClock(clock=clock)
    arriving.heard_at(0, RATE)
    clock.set_forward(86_400.0)
    assert arriving.heard_at(RATE, 320) == pytest.approx(START + 86_400.0, abs=2.0)


def test_what_was_heard_a_while_ago_was_heard_then_by_the_clock_of_now() -> None:
    clock = SetClock()
    heard = clock.monotonic()
    clock.forward(3.0)
    clock.set_forward(60.0)
    assert wall_time(heard, clock=clock) == START + 60.0
