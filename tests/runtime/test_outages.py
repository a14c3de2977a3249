"""Each way a real camera or microphone fails: how soon it is noticed, and how soon it is heard again.

All waits are those of the product. Shown with ``--log-cli-level=INFO``.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest
from support.audio import voice
from support.camera import camera, mute_server, relay
from support.captured import Watched, watched
from support.leaks import no_leaks
from support.sound_server import SoundServer, sound_server

from vser_stream.adapters.audio.microphone import Microphone
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.core.audio.capture_state import CaptureState

SPEECH = voice(10.0)
BACKOFF, FAILED, RUNNING = CaptureState.BACKOFF, CaptureState.FAILED, CaptureState.RUNNING
LOST = (BACKOFF, FAILED)
SLACK = 2.0
"""What a busy box may add to any wait (s)."""

_log = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    with no_leaks(within=8.0):  # a reader that hung may need its own timeout to end
        yield


@pytest.fixture
def microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with sound_server(tmp_path) as running:
        monkeypatch.setenv("PULSE_SERVER", running.address)
        yield running


async def struck(source: Watched, name: str, cause: Callable[[], object], *, noticed_within: float) -> str:
    """Let ``cause`` happen to a running source; return what is said of it."""
    await source.until(RUNNING, within=20.0)
    await source.until_heard(within=5.0)
    await asyncio.to_thread(cause)
    noticed = await source.until(*LOST, within=noticed_within + SLACK)
    _log.info("%s: noticed after %.2f s", name, noticed)
    return source.capture.reason or ""


async def healed(source: Watched, name: str, cure: Callable[[], object], *, within: float) -> None:
    """Undo it; the source must be heard again."""
    outages = source.capture.restarts
    await asyncio.to_thread(cure)
    took = await source.until(RUNNING, within=within + SLACK)
    _log.info("%s: heard again after %.2f s (outages %d -> %d)", name, took, outages, source.capture.restarts)
    await source.until_heard(within=5.0)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_that_is_switched_off_and_on(tmp_path: Path, transport: Literal["tcp", "udp"]) -> None:
    with ExitStack() as later:
        served = later.enter_context(camera(SPEECH, tmp_path))
        async with watched(RtspCamera(served.url("pcma"), transport=transport)) as source:
            said = await struck(source, f"camera off, {transport}", served.kill, noticed_within=1.0)
            assert "camera closed the stream" in said
            back = camera(SPEECH, tmp_path, port=served.port)
            await healed(source, f"camera off, {transport}", lambda: later.enter_context(back), within=5.0)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_that_freezes_and_goes_on(tmp_path: Path, transport: Literal["tcp", "udp"]) -> None:
    with camera(SPEECH, tmp_path) as served:
        async with watched(RtspCamera(served.url("pcma"), transport=transport)) as source:
            said = await struck(source, f"camera frozen, {transport}", served.freeze, noticed_within=3.0)
            assert "timed out" in said
            await healed(source, f"camera frozen, {transport}", served.thaw, within=6.0)


async def test_a_camera_that_sends_reports_but_no_sound(tmp_path: Path) -> None:
    with camera(SPEECH, tmp_path) as served, relay(served) as line:
        line.chatting.set()
        async with watched(RtspCamera(f"rtsp://127.0.0.1:{line.port}/l16")) as source:
            said = await struck(source, "sound stops, RTCP flows", line.losing.set, noticed_within=3.0)
            assert said.endswith("check the network and the camera")
            await healed(source, "sound stops, RTCP flows", line.losing.clear, within=12.0)


@pytest.mark.parametrize("drip", [b"", b"\r\n"])
async def test_a_camera_that_hangs_at_its_start(tmp_path: Path, drip: bytes) -> None:
    name = "drips at opening" if drip else "never answers"
    with ExitStack() as later, ExitStack() as mute:
        port = mute.enter_context(mute_server(drip=drip))
        async with watched(RtspCamera(f"rtsp://127.0.0.1:{port}/pcma")) as source:
            noticed = await source.until(*LOST, within=5.0 + SLACK)
            _log.info("%s: noticed after %.2f s", name, noticed)
            assert "timed out" in (source.capture.reason or "")
            mute.close()
            back = camera(SPEECH, tmp_path, port=port)
            await healed(source, name, lambda: later.enter_context(back), within=12.0)


async def test_a_wrong_password_waits_long_and_a_corrected_one_is_tried_at_once(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    with camera(SPEECH, tmp_path, login=("cam", "right")) as served:
        login = RtspCamera(served.url("pcma"), username="cam", password_file=secret)
        async with watched(login) as source:
            noticed = await source.until(*LOST, within=3.0 + SLACK)
            _log.info("wrong password: noticed after %.2f s", noticed)
            assert source.capture.state is FAILED
            assert "wrong user name or password" in (source.capture.reason or "")
            secret.write_text("right")
            await healed(source, "wrong password", source.capture.retry, within=3.0)
            assert source.capture.restarts == 1


async def test_a_sound_server_that_is_killed_and_started(microphone: SoundServer) -> None:
    with ExitStack() as later:
        async with watched(Microphone()) as source:
            said = await struck(source, "sound server killed", microphone.kill, noticed_within=1.0)
            assert "went away" in said
            back = sound_server(microphone.folder)
            await healed(source, "sound server killed", lambda: later.enter_context(back), within=8.0)


async def test_a_sound_server_that_freezes_and_goes_on(microphone: SoundServer) -> None:
    async with watched(Microphone()) as source:
        said = await struck(source, "sound server frozen", microphone.freeze, noticed_within=5.0)
        assert "silent for 5 s" in said
        await healed(source, "sound server frozen", microphone.thaw, within=10.0)


async def test_a_microphone_that_is_unplugged_and_plugged_in(microphone: SoundServer) -> None:
    async with watched(Microphone()) as source:
        await struck(source, "unplugged", microphone.unplug, noticed_within=5.0)
        await healed(source, "unplugged", microphone.plug, within=12.0)
