import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.audio.timeline import Timeline
from vser_stream.values import RATE, Block

START = 1_700_000_000.0


def block(start: int, heard_at: float, n: int = RATE) -> Block:
    return Block(np.zeros(n, np.int16), start=start, heard_at=heard_at)


def test_what_a_source_says_was_lost_is_an_overrun_and_an_outage_is_not() -> None:
    timeline = Timeline()
    timeline.reopen()
    placed = [timeline.placed(block(0, START), 0.0), timeline.placed(block(RATE + 800, START + 1.05), 1.05)]
    timeline.reopen()
    placed.append(timeline.placed(block(0, START + 10.0), 10.0))
    placed.append(timeline.placed(block(RATE, START + 11.0), 11.0))
    assert [one.start for one in placed] == [0, RATE + 800, 10 * RATE, 11 * RATE]
    assert (timeline.lost, timeline.overruns) == (800 + 8 * RATE - 800, 1)


def test_a_wall_clock_that_is_set_during_an_outage_loses_nothing_more() -> None:
    timeline = Timeline()
    timeline.placed(block(0, START), 1.0)
    timeline.reopen()
    assert timeline.placed(block(0, START + 86_400.0), 12.0).start == 11 * RATE


@given(st.lists(st.tuples(st.booleans(), st.floats(-1e5, 1e5), st.integers(0, 3)), max_size=30))
def test_positions_only_grow_whatever_the_clock_does(steps: list[tuple[bool, float, int]]) -> None:
    timeline, end, placed = Timeline(), 0, []
    timeline.reopen()
    for reopens, heard_at, lost in steps:
        if reopens:
            timeline.reopen()
            end = 0
        one = block(end + lost, START + heard_at, 10)
        end = one.end
        placed.append(timeline.placed(one, heard_at))
    assert all(earlier.end <= later.start for earlier, later in itertools.pairwise(placed))
    lost_between = sum(later.start - earlier.end for earlier, later in itertools.pairwise(placed))
    assert timeline.lost == lost_between
