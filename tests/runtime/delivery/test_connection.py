from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.patience import HANGS

from vser_stream.runtime.delivery.connection import LONGEST_PAUSE, backoff, pause, unique


@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.5, 60.0))
def test_however_often_it_failed_the_pause_is_within_half_and_the_whole_of_what_is_due(
    failures: int, jitter: float, longest: float
) -> None:
    due = backoff(failures, 0.0, longest=longest)
    assert due <= longest <= LONGEST_PAUSE
    assert due / 2 <= backoff(failures, jitter, longest=longest) <= due
    assert backoff(failures + 1, 0.0, longest=longest) >= due


def test_pauses_double_up_to_the_longest() -> None:
    assert [backoff(failures, 0.0, longest=5.0) for failures in (1, 2, 3, 4, 5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_boxes_that_lost_the_same_broker_come_back_one_after_the_other() -> None:
    assert len({backoff(4, tenth / 10) for tenth in range(11)}) == 11


async def test_who_pauses_goes_on_at_once_when_there_is_reason_to() -> None:
    event, began = asyncio.Event(), asyncio.Event()

    async def waiting() -> None:
        began.set()
        await pause(event, 3600.0)

    task = asyncio.create_task(waiting())
    await began.wait()
    event.set()
    async with asyncio.timeout(HANGS):
        await task


async def test_who_pauses_for_nothing_goes_on_in_the_end_and_says_nothing_of_it() -> None:
    event = asyncio.Event()
    async with asyncio.timeout(HANGS):
        await pause(event, 0.001)
    assert not event.is_set()


async def test_a_pause_that_is_cancelled_is_no_pause_that_is_over() -> None:
    task = asyncio.create_task(pause(asyncio.Event(), 3600.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_nobody_else_has_our_client_id_and_people_still_see_whose_it_is() -> None:
    ids = {unique("vser-home") for _ in range(100)}
    assert len(ids) == 100
    assert all(one.startswith("vser-home-") and len(one) == len("vser-home-") + 8 for one in ids)
