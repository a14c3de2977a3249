from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.audio.pace import AHEAD, FASTEST, Pace


@given(st.floats(0.5, 1.2), st.floats(0.01, 2.0))
def test_a_clock_may_be_wrong_by_a_fifth_for_ever(speed: float, block: float) -> None:
    pace, now = Pace(), 0.0
    for _ in range(2000):
        now += block / speed
        assert pace.allows(block, now)


@given(st.floats(1.5, 1000.0))
def test_a_flood_is_stopped_before_it_is_much(speed: float) -> None:
    pace, now, taken = Pace(), 0.0, 0.0
    while pace.allows(0.1, now):
        taken += 0.1
        now += 0.1 / speed
    assert taken <= AHEAD + FASTEST * now + 0.1


def test_a_backlog_may_come_at_once() -> None:
    pace = Pace()
    assert all(pace.allows(0.1, 0.0) for _ in range(150))
