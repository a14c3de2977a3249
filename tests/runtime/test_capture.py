import asyncio
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vser_stream.core.messages import CaptureState
from vser_stream.errors import CaptureError
from vser_stream.runtime import capture as module
from vser_stream.runtime.capture import Capture
from vser_stream.values import RATE, Block

START = 1_700_000_000.0
LENGTH = RATE // 10


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
    return Capture("bed", source, on_change=lambda: None, jitter=lambda: 1.0)


async def test_a_recording_is_heard_whole_and_then_it_ends() -> None:
    source = Script((START, 5))
    capture = quiet(source)
    blocks = await heard(capture)
    assert [b and b.start for b in blocks] == [n * LENGTH for n in range(5)] + [None]
    assert (capture.state, capture.restarts, capture.dropped) == (CaptureState.ENDED, 0, 0)
    assert source.threads == {"capture-bed"}


async def test_a_lost_source_is_opened_again_and_its_position_jumps_by_the_time_lost() -> None:
    states: list[tuple[CaptureState, str | None]] = []
    source = Script((START, 2), (START + 10.0, 2))
    capture = Capture(
        "bed", source, on_change=lambda: states.append((capture.state, capture.reason)), jitter=lambda: 1.0
    )
    blocks = await heard(capture)
    starts = [b and b.start for b in blocks]
    assert starts == [0, LENGTH, None, 10 * RATE, 10 * RATE + LENGTH, None]
    assert states == [
        (CaptureState.OPENING, None),
        (CaptureState.RUNNING, None),
        (CaptureState.BACKOFF, "the camera went away"),
        (CaptureState.OPENING, None),
        (CaptureState.RUNNING, None),
        (CaptureState.ENDED, None),
    ]
    assert capture.restarts == 1


async def test_positions_never_go_back_although_the_clock_did() -> None:
    blocks = await heard(quiet(Script((START, 3), (START - 3600.0, 3))))
    starts = [b.start for b in blocks if b]
    assert starts == sorted(set(starts))
    assert starts[3] > starts[2] + LENGTH  # a gap, however small


async def test_when_scoring_is_late_the_oldest_blocks_are_dropped_and_counted() -> None:
    capture = quiet(Script((START, module.INBOX + 50)))
    blocks = capture.blocks()
    first = await anext(blocks)
    await asyncio.to_thread(_wait_until, lambda: capture.dropped > 0)
    await asyncio.sleep(0.05)
    rest = [item async for item in blocks]
    kept = [item.start // LENGTH for item in [first, *rest] if item]
    assert len(kept) + capture.dropped == module.INBOX + 50
    assert kept == sorted(kept)
    assert kept[-1] == module.INBOX + 49


def _wait_until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(500):
        if condition():
            return
        done.wait(0.01)


async def test_a_source_without_samples_is_stalled_although_it_reports_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STALL", 0.1)
    release = threading.Event()

    class Frozen:
        def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
            yield block(0, START)
            release.wait(5.0)
            if not stopped():
                yield block(1, START)

    states: list[CaptureState] = []
    capture = Capture("bed", Frozen(), on_change=lambda: states.append(capture.state))
    blocks = capture.blocks()
    items = [await anext(blocks), await anext(blocks)]
    assert items[1] is None
    assert states[-1] is CaptureState.STALLED
    release.set()
    assert [b and b.start for b in [item async for item in blocks]] == [LENGTH, None]
    assert states[-2:] == [CaptureState.RUNNING, CaptureState.ENDED]


async def test_stop_ends_it_at_once_in_the_middle_of_audio_and_of_a_pause() -> None:
    capture = quiet(Endless())
    async for _ in capture.blocks():
        capture.stop()
    waiting = Capture("bed", Script((START, 0), (START, 0)), on_change=lambda: None, jitter=lambda: 0.0)
    asyncio.get_running_loop().call_later(0.1, waiting.stop)
    async with asyncio.timeout(0.6):  # the pause alone would take 1 s
        await heard(waiting)
