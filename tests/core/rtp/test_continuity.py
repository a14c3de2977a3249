import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vser_stream.core.rtp.continuity import Continuity, Placed
from vser_stream.values import RATE

JITTER = 0.25
STAMPS = st.floats(-1e6, 1e6, allow_nan=False)
LENGTHS = st.integers(160, 3000)


def fed(arrivals: list[tuple[int, float, float]]) -> tuple[list[Placed], Continuity]:
    """Feed audio of so many samples, arriving then, with that jump of its timestamp; numbers as audio."""
    continuity, placed, at = Continuity(), [], 0
    for n, arrived, jump in arrivals:
        pcm = np.arange(at, at + n, dtype=np.int64).astype(np.int16)
        placed += continuity.feed(pcm, arrived=arrived, jump=jump)
        at += n
    return placed, continuity


def gaps(placed: list[Placed]) -> list[int]:
    between = [
        later.start - earlier.start - len(earlier.pcm) for earlier, later in itertools.pairwise(placed)
    ]
    return [gap for gap in between if gap]


def punctual(count: int, *, n: int = 320, since: float = 0.0) -> list[tuple[int, float, float]]:
    return [(n, since + (k + 1) * n / RATE, 0.0) for k in range(count)]


@settings(max_examples=400)
@given(st.lists(st.tuples(LENGTHS, st.floats(0, JITTER), STAMPS), min_size=1, max_size=80))
def test_whatever_the_stamps_say_audio_that_arrives_whole_and_in_time_has_no_gap(
    blocks: list[tuple[int, float, float]],
) -> None:
    arrivals, end, last = [], 0, 0.0
    for n, late, jump in blocks:
        end += n
        last = max(last, end / RATE + late)
        arrivals.append((n, last, jump))
    placed, _ = fed(arrivals)
    assert gaps(placed) == []
    assert sum(len(one.pcm) for one in placed) >= end - round(0.5 * RATE)  # what is held at the end


def random_stamps(seed: int, count: int) -> list[float]:
    dice = random.Random(seed)  # noqa: S311 - the same stamps each time
    return [dice.choice([0.0, dice.uniform(-1.0, 1.0), dice.uniform(-1e6, 1e6)]) for _ in range(count)]


@settings(max_examples=150)
@given(st.integers(20, 100), st.floats(0.35, 9.0), st.integers(0, 10**6), st.integers(5, 60))
def test_a_stall_whose_backlog_comes_is_no_gap_whatever_the_stamps_say(
    before: int, stall: float, seed: int, per_burst: int
) -> None:
    arrivals: list[tuple[int, float, float]] = []
    resumes = before * 0.02 + stall
    for k, jump in enumerate(random_stamps(seed, 600)):
        due = (k + 1) * 0.02
        arrived = due if k < before or due > resumes else resumes + (k - before) // per_burst * 0.005
        arrivals.append((320, max(arrived, arrivals[-1][1] if arrivals else 0.0), jump))
    assert gaps(fed(arrivals)[0]) == []


@settings(max_examples=150)
@given(st.integers(50, 200), st.floats(0.7, 30.0), st.integers(0, 10**6))
def test_what_is_missing_in_arrival_time_is_one_gap_of_about_that_length_whatever_the_stamps_say(
    before: int, outage: float, seed: int
) -> None:
    arrivals, last = punctual(before), 0.0
    lateness = random.Random(seed)  # noqa: S311 - the same each time
    for k, jump in enumerate(random_stamps(seed, 100)):
        last = max(last, (before + k + 1) * 0.02 + outage + lateness.uniform(0, JITTER))
        arrivals.append((320, last, jump))
    [gap] = gaps(fed(arrivals)[0])
    assert gap / RATE == pytest.approx(outage, abs=0.3 + JITTER + 0.001)


def test_the_length_of_a_gap_is_the_stamps_where_they_agree() -> None:
    after = punctual(100, since=100 * 0.02 + 0.83)
    jumped = [(after[0][0], after[0][1] + 0.07, 0.8), *after[1:]]
    placed, continuity = fed([*punctual(100), *jumped])
    assert gaps(placed) == [round(0.8 * RATE)]
    assert continuity.contradictions == 0
    # A chunk held while it was unknown is there, once and in order.
    joined = np.concatenate([one.pcm for one in placed])
    assert np.array_equal(joined, np.arange(len(joined), dtype=np.int64).astype(np.int16))


def test_nothing_is_heard_later_than_it_arrived_and_a_gap_lies_where_it_was() -> None:
    placed, _ = fed([*punctual(100), *punctual(100, since=5.0)])
    assert [round(one.heard, 3) for one in placed] == pytest.approx(
        [k * 0.02 for k in range(100)] + [5.0 + k * 0.02 for k in range(100)], abs=0.001
    )


def test_stamps_that_contradict_what_arrives_are_counted() -> None:
    spikes = [(n, at, 36_000.0 if k % 100 == 50 else 0.0) for k, (n, at, _) in enumerate(punctual(300))]
    placed, continuity = fed(spikes)
    assert (gaps(placed), continuity.contradictions) == ([], 3)
