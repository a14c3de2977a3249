import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from support.captured import watched
from support.patience import HANGS

from vser_stream.core.audio.capture_state import CaptureState, Patience
from vser_stream.core.audio.pace import AHEAD
from vser_stream.errors import AudioError, CaptureError, CaptureRefusedError
from vser_stream.runtime.source.capture import INBOX, TURN, Capture
from vser_stream.values import RATE, Block

START = 1_700_000_000.0
LENGTH = RATE // 10
KEPT = round(INBOX * RATE) // LENGTH


def block(number: int, heard_at: float) -> Block:
    return Block(np.full(LENGTH, number, np.int16), start=number * LENGTH, heard_at=heard_at + number * 0.1)


class Script:
    """A source that delivers so many blocks at each opening, and then is lost; after the last it ends."""

    def __init__(self, *openings: tuple[float, int]) -> None:
        self._openings = list(openings)
        self.threads: set[str] = set()

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        self.threads.add(threading.current_thread().name)
        heard_at, count = self._openings.pop(0)
        for number in range(count):
            if stopped():
                return
            yield block(number, heard_at)
        if self._openings:
            raise CaptureError("the camera went away")


class Endless:
    """A source that delivers until stopped."""

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        number = 0
        while not stopped():
            yield block(number, START)
            number += 1


async def heard(capture: Capture) -> list[Block | None]:
    return [item async for item in capture.blocks()]


def quiet(source: Script | Endless) -> Capture:
    return Capture("bed", source, jitter=lambda: 1.0)


async def test_a_recording_is_heard_whole_and_then_it_ends() -> None:
    source = Script((START, 5))
    capture = quiet(source)
    blocks = await heard(capture)
    assert [b and b.start for b in blocks] == [n * LENGTH for n in range(5)] + [None]
    assert (capture.state, capture.restarts, capture.dropped) == (CaptureState.ENDED, 0, 0)
    assert source.threads == {"capture-bed"}


async def test_a_box_without_another_thread_is_an_outage_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture("bed", Script((START, 2)), jitter=lambda: 1.0)
    start, refused = threading.Thread.start, iter([True, False])

    def refuse_once(thread: threading.Thread) -> None:
        if thread.name == "capture-bed" and next(refused):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    assert [item and item.start for item in await heard(capture)][-3:] == [0, LENGTH, None]
    assert capture.restarts == 1


async def test_a_lost_source_is_opened_again_and_its_position_jumps_by_the_time_lost() -> None:
    states: list[tuple[CaptureState, str | None]] = []
    source = Script((START, 2), (START + 3600.0, 2))  # what the wall clock says meanwhile is no matter
    capture = Capture("bed", source, jitter=lambda: 1.0)

    class Noting(asyncio.Event):
        def set(self) -> None:
            states.append((capture.state, capture.reason))

    capture.changed = Noting()
    blocks = await heard(capture)
    starts = [b.start for b in blocks if b]
    assert [b is None for b in blocks] == [False, False, True, False, False, True]
    assert starts[:2] == [0, LENGTH]
    assert starts[3] == starts[2] + LENGTH
    assert 0.4 * RATE < starts[2] < 60 * RATE  # the pause before the second attempt is 0.5 s
    assert states == [
        (CaptureState.OPENING, None),
        (CaptureState.RUNNING, None),
        (CaptureState.BACKOFF, "the camera went away"),
        (CaptureState.OPENING, "the camera went away"),
        (CaptureState.RUNNING, None),
        (CaptureState.ENDED, None),
    ]
    assert capture.restarts == 1


async def test_positions_never_go_back_although_the_clock_did() -> None:
    blocks = await heard(quiet(Script((START, 3), (START - 3600.0, 3))))
    starts = [b.start for b in blocks if b]
    assert starts == sorted(set(starts))
    assert starts[3] > starts[2] + LENGTH  # a gap, however small


async def test_a_source_that_floods_is_lost_and_told_before_it_costs_memory() -> None:
    async with watched(Endless()) as flooding:
        await flooding.until(CaptureState.BACKOFF, within=30.0)
        assert flooding.capture.reason == (
            "delivers audio much faster than real time; correct its sampling rate"
        )
        assert flooding.spans[-1][1] < 2 * AHEAD * RATE


async def test_one_huge_block_is_heard_in_pieces_of_a_turn() -> None:
    class Huge:
        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            if not stopped():
                yield Block(np.arange(3 * RATE, dtype=np.int16), start=0, heard_at=START)

    blocks = [b for b in await heard(Capture("bed", Huge())) if b]
    assert max(len(b.pcm) for b in blocks) == TURN
    assert np.array_equal(np.concatenate([b.pcm for b in blocks]), np.arange(3 * RATE, dtype=np.int16))
    assert [b.heard_at - START for b in blocks] == pytest.approx([b.start / RATE for b in blocks])


async def test_short_blocks_wait_as_long_as_long_ones() -> None:
    class Short:
        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            for number in range(400):  # 8 s in blocks of 20 ms
                if not stopped():
                    yield Block(np.zeros(RATE // 50, np.int16), start=number * (RATE // 50), heard_at=START)

    capture = Capture("bed", Short())
    blocks = capture.blocks()
    first = await anext(blocks)
    await asyncio.to_thread(_wait_until, lambda: capture.last_block_at is not None and not _reading())
    rest = [item async for item in blocks if item]
    assert first is not None
    assert (len(rest), capture.dropped) == (399, 0)


def _reading() -> bool:
    return any(thread.name == "capture-bed" for thread in threading.enumerate())


async def test_when_scoring_is_late_the_oldest_blocks_are_dropped_and_counted() -> None:
    capture = quiet(Script((START, KEPT + 50)))
    blocks = capture.blocks()
    first = await anext(blocks)
    await asyncio.to_thread(_wait_until, lambda: capture.dropped > 0)
    await asyncio.sleep(0.05)
    rest = [item async for item in blocks]
    kept = [item.start // LENGTH for item in [first, *rest] if item]
    assert len(kept) + capture.dropped == KEPT + 50
    assert kept == sorted(kept)
    assert kept[-1] == KEPT + 49


def _wait_until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(500):
        if condition():
            return
        done.wait(0.01)


async def test_a_source_without_samples_is_stalled_although_it_reports_nothing() -> None:
    release = threading.Event()

    class Frozen:
        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            yield block(0, START)
            release.wait(5.0)
            if not stopped():
                yield block(1, START)

    capture = Capture(
        "bed",
        Frozen(),
        patience=Patience(stale_after=0.1, abandon_after=60.0),
    )
    blocks = capture.blocks()
    items = [await anext(blocks), await anext(blocks)]
    assert items[1] is None
    assert capture.state is CaptureState.STALLED
    release.set()
    assert [b and b.start for b in [item async for item in blocks]] == [LENGTH, None]
    assert [one.after for one in capture.transitions][-2:] == [CaptureState.RUNNING, CaptureState.ENDED]


async def test_stop_ends_it_at_once_in_the_middle_of_audio_and_of_a_pause() -> None:
    capture = quiet(Endless())
    async for _ in capture.blocks():
        capture.stop()
    waiting = Capture("bed", Script((START, 0), (START, 0)), jitter=lambda: 0.0)
    asyncio.get_running_loop().call_later(0.1, waiting.stop)
    async with asyncio.timeout(HANGS):
        await heard(waiting)


class Hung:
    """A source whose library never comes back, so many times; then it delivers until stopped."""

    def __init__(self, times: int) -> None:
        self._left = times
        self.release = threading.Event()

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        self._left -= 1
        if self._left >= 0:
            self.release.wait(HANGS)
            yield block(500, START)
            return
        number = 0
        while not stopped():
            yield block(number, START)
            number += 1
            time.sleep(0.01)


HASTY = Patience(
    grace=0.0, stale_after=0.1, abandon_after=0.1, first_wait=0.02, longest_wait=0.05, refused_wait=0.05
)


async def test_a_reader_that_never_returns_is_left_behind_and_a_new_one_takes_over() -> None:
    source = Hung(2)
    async with watched(source, patience=HASTY) as hung:
        await hung.until_heard(within=5.0)
        assert hung.capture.abandoned == 2
        assert [change.after for change in hung.capture.transitions] == [
            *(CaptureState.OPENING, CaptureState.STALLED, CaptureState.BACKOFF) * 2,
            CaptureState.OPENING,
            CaptureState.RUNNING,
        ]
        source.release.set()
        for _ in range(10):  # what they deliver in the end is not listened to
            await hung.until_heard(within=5.0)
        assert [start for start, _ in hung.spans[1:]] == [end for _, end in hung.spans[:-1]]


async def test_no_more_readers_than_a_few_hang_at_once_and_freed_ones_make_room() -> None:
    source = Hung(4)
    async with watched(source, patience=HASTY) as hung:
        await hung.until(CaptureState.FAILED, within=5.0)
        assert hung.capture.reason == "4 reader threads of this source hang; restart the service"
        assert sum(thread.name == "capture-bed" for thread in threading.enumerate()) == 4
        assert hung.capture.deaf_since is not None
        source.release.set()
        await hung.until(CaptureState.RUNNING, within=5.0)


async def test_a_stop_does_not_wait_for_a_reader_that_hangs() -> None:
    source = Hung(1)
    async with watched(source, patience=Patience()) as hung:
        await hung.until(CaptureState.OPENING, within=0.5)
    assert hung.capture.state is CaptureState.IDLE  # and nobody has released it
    source.release.set()


class Failing:
    """A source that fails the same way at each opening."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        if not stopped():
            raise self._failure
        yield block(0, START)


async def test_a_bug_is_an_outage_of_its_source_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watched(Failing(ZeroDivisionError("a bug")), patience=HASTY) as broken:
        await broken.until(CaptureState.BACKOFF, within=5.0)
    assert broken.capture.transitions[1].reason == (
        "internal error (ZeroDivisionError); please report the traceback in the log"
    )
    assert "ZeroDivisionError: a bug" in caplog.text


@pytest.mark.parametrize("refusal", [CaptureRefusedError("wrong password"), AudioError("no such file")])
async def test_what_a_person_must_correct_is_tried_again_late_or_when_told_so(refusal: Exception) -> None:
    async with watched(Failing(refusal)) as refused:
        await refused.until(CaptureState.FAILED, within=5.0)
        tried = refused.capture.restarts
        refused.capture.retry()
        await refused.until(CaptureState.OPENING, within=1.0)
        await refused.until(CaptureState.FAILED, within=1.0)
        assert refused.capture.restarts == tried + 1


async def test_pauses_grow_until_a_source_was_good_for_long() -> None:
    waits: list[float] = []

    class Recorded(Patience):
        def wait(self, failures: int, jitter: float) -> float:
            waits.append(failures)
            return 0.0 * jitter

    class Flapping:
        """Lost at once three times, then only after its stable time, then at once."""

        runs = iter([0.0, 0.0, 0.0, 0.15, 0.0])

        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            lasts = next(self.runs, None)
            if lasts is None:
                return
            yield block(0, START)
            threading.Event().wait(lasts)
            if not stopped():
                yield block(1, START)
            raise CaptureError("lost")

    async with watched(Flapping(), patience=Recorded(stable_after=0.1)) as flapping:
        await flapping.until(CaptureState.ENDED, within=5.0)
    assert waits == [1, 2, 3, 1, 2]


async def test_a_source_is_deaf_from_its_last_sample_on() -> None:
    release = threading.Event()

    class Stuck:
        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            yield block(0, START)
            release.wait(HANGS)
            if not stopped():
                yield block(1, START)

    async with watched(Stuck(), patience=Patience(stale_after=0.2, abandon_after=60.0)) as stuck:
        await stuck.until(CaptureState.RUNNING, within=5.0)
        assert stuck.capture.deaf_since is None
        await stuck.until(CaptureState.STALLED, within=5.0)
        assert stuck.capture.deaf_since == pytest.approx(time.time() - 0.2, abs=0.15)
        release.set()
        await stuck.until(CaptureState.RUNNING, CaptureState.ENDED, within=5.0)
        assert stuck.capture.outages == 1
