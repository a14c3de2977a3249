"""Cameras and sound servers come and go; nothing of it stays behind in this process."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from support.audio import voice
from support.camera import Camera, camera
from support.captured import Watched, watched
from support.leaks import memory, no_leaks
from support.sound_server import SoundServer, sound_server

from vser_stream.adapters.audio.microphone import Microphone
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.core.audio.capture_state import CaptureState, Patience

CYCLES = 20
SPEECH = voice(10.0)
QUICK = Patience(first_wait=0.1, longest_wait=0.2)

_log = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    with no_leaks(within=8.0):
        yield


class Mortal(Protocol):
    """What a source listens to."""

    def kill(self) -> None: ...


Start = Callable[[], AbstractContextManager[Camera | SoundServer]]


async def cycles(source: Watched, first: Mortal, start: Start, later: ExitStack) -> list[float]:
    """Kill and start again what the source listens to; return the memory after each time (MB)."""
    alive, held = first, []
    for _ in range(CYCLES):
        await source.until(CaptureState.RUNNING, within=30.0)
        await source.until_heard(within=10.0)
        await asyncio.to_thread(alive.kill)
        await source.until(CaptureState.BACKOFF, within=10.0)
        alive = await asyncio.to_thread(later.enter_context, start())
        held.append(memory())
    await source.until(CaptureState.RUNNING, within=30.0)
    return held


async def test_twenty_restarts_are_twenty_outages_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sound"
    folder.mkdir()
    with ExitStack() as later:
        served = later.enter_context(camera(SPEECH, tmp_path))
        sounding = later.enter_context(sound_server(folder))
        monkeypatch.setenv("PULSE_SERVER", sounding.address)
        url = served.url("pcma")
        async with (
            watched(RtspCamera(url), name="camera", patience=QUICK) as seen,
            watched(Microphone(), name="microphone", patience=QUICK) as heard,
        ):
            held, _ = await asyncio.gather(
                cycles(seen, served, lambda: camera(SPEECH, tmp_path, port=served.port), later),
                cycles(heard, sounding, lambda: sound_server(folder), later),
            )
    _log.info("memory (MB): after 5 restarts %.1f, after %d %.1f", held[4], CYCLES, held[-1])
    assert (seen.capture.outages, heard.capture.outages) == (CYCLES, CYCLES)
    assert (seen.capture.abandoned, heard.capture.abandoned) == (0, 0)
    assert held[-1] - held[4] < 8.0


async def test_one_source_dies_and_the_other_loses_nothing(tmp_path: Path) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    with camera(SPEECH, tmp_path) as steady, camera(SPEECH, other_folder) as dying:
        async with (
            watched(RtspCamera(steady.url("l16")), name="steady") as lasting,
            watched(RtspCamera(dying.url("l16")), name="dying", patience=QUICK) as lost,
        ):
            await lost.until_heard(within=20.0)
            await lasting.until_heard(within=20.0)
            await asyncio.to_thread(dying.kill)
            await lost.until(CaptureState.BACKOFF, within=10.0)
            for _ in range(30):
                await lasting.until_heard(within=5.0)
    assert lost.capture.outages == 1
    assert [start for start, _ in lasting.spans[1:]] == [end for _, end in lasting.spans[:-1]]
    capture = lasting.capture
    assert (capture.outages, capture.lost, capture.overruns, capture.dropped) == (0, 0, 0, 0)
