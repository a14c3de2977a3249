"""Whoever hangs earns no sign of life."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.captured import watched
from support.clock import SetClock
from support.patience import HANGS
from support.service_manager import FakeSystemd, fake_systemd

from vser_stream.adapters.system.systemd import ServiceManager
from vser_stream.core.audio.capture_state import CaptureState, Patience
from vser_stream.errors import CaptureError
from vser_stream.runtime.source.capture import HANDLING, Capture
from vser_stream.runtime.watch.watchdog import LATE, Watchdog
from vser_stream.values import Block

LONGEST = 0.4
"""What systemd allows (s)."""


@dataclass
class Source:
    name: str
    overdue: float = 0.0


@dataclass
class Sources:
    listeners: tuple[Source, ...]


@dataclass
class Watched:
    systemd: FakeSystemd
    watchdog: Watchdog

    async def earns(self) -> None:
        known = self.systemd.count("WATCHDOG=1")
        async with asyncio.timeout(HANGS):
            while self.systemd.count("WATCHDOG=1") <= known + 1:  # noqa: ASYNC110 - a socket in a thread
                await asyncio.sleep(0.01)

    async def earns_nothing(self) -> None:
        async with asyncio.timeout(HANGS):
            while not self.watchdog.hanging:  # noqa: ASYNC110 - it is asked for, not told
                await asyncio.sleep(0.01)
        known = self.systemd.count("WATCHDOG=1")
        await asyncio.sleep(2 * LONGEST)
        assert self.systemd.count("WATCHDOG=1") == known


@asynccontextmanager
async def watching(folder: Path, scorer: ThreadPoolExecutor, *sources: Source) -> AsyncIterator[Watched]:
    with fake_systemd(folder, watchdog=LONGEST) as systemd:
        manager = ServiceManager(systemd.environment)
        watchdog = Watchdog(scorer, Sources(sources), longest=manager.watchdog, on_alive=manager.alive)
        task = asyncio.create_task(watchdog.run())
        try:
            yield Watched(systemd, watchdog)
        finally:
            task.cancel()


@pytest.fixture
def scorer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_a_scorer_that_hangs_earns_none_until_it_goes_on(
    tmp_path: Path, scorer: ThreadPoolExecutor
) -> None:
    async with watching(tmp_path, scorer) as watched:
        await watched.earns()
        go_on = threading.Event()
        scorer.submit(go_on.wait, 20.0)
        await watched.earns_nothing()
        assert watched.watchdog.hanging == ("scorer",)
        go_on.set()
        await watched.earns()
        assert not watched.watchdog.hanging


async def test_one_source_that_breaks_its_promise_is_enough(
    tmp_path: Path, scorer: ThreadPoolExecutor
) -> None:
    bed, door = Source("bed"), Source("door", overdue=LATE / 2)
    async with watching(tmp_path, scorer, bed, door) as watched:
        await watched.earns()
        bed.overdue = LATE + 0.1
        await watched.earns_nothing()
        assert watched.watchdog.hanging == ("source bed",)


class Away:
    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        assert not stopped()
        raise CaptureError("away")


async def test_an_outage_that_is_admitted_and_retried_breaks_no_promise() -> None:
    async with watched(Away(), patience=Patience(first_wait=30.0, longest_wait=30.0)) as source:
        await source.until(CaptureState.BACKOFF, within=5.0)
        assert source.capture.overdue == 0.0


class Talking:
    """Ten times as fast as anybody, and the time goes with it."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        pause = threading.Event()
        at = 0
        while not stopped():
            self._clock.forward(0.1)
            yield Block(np.zeros(1600, np.int16), start=at, heard_at=float(at))
            at += 1600
            pause.wait(0.01)


async def test_a_source_nobody_listens_to_any_more_is_overdue() -> None:
    clock = SetClock()
    source = Capture("bed", Talking(clock), clock=clock)
    blocks = source.blocks()
    await anext(blocks)  # taken, and never come back for another
    clock.forward(HANDLING + LATE)
    async with asyncio.timeout(HANGS):
        while source.age is None or source.age > LATE:  # noqa: ASYNC110 - it is asked for, not told
            await asyncio.sleep(0.01)
    assert source.overdue >= LATE, "although its camera is as good as ever"
    source.stop()
    assert source.overdue == 0.0
    assert [block async for block in blocks] == [None]
