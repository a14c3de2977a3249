import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from support.audio import locate, voice
from support.leaks import no_leaks
from support.losing import lost
from support.patience import BUSY, HANGS
from support.sound_server import SoundServer, sound_server

from vser_stream.adapters.audio.microphone import InputDevice, Microphone, list_inputs
from vser_stream.errors import CaptureError
from vser_stream.values import RATE, Block, Pcm

SPEECH = voice(2.0)

HALF_OF_IT = 0.6
"""A stall taken for audio, or audio for a stall, is off by twice that; a busy box by some tenths (s)."""


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    if "server" in request.fixturenames:
        request.getfixturevalue("server")  # it stays for the module: no leak of this test
    with no_leaks():
        yield


@pytest.fixture(scope="module")
def steady_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with sound_server(tmp_path_factory.mktemp("sound")) as running:
        yield running


@pytest.fixture
def server(steady_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    """A sound server that every test leaves as it was: its first stream waits for 2 s."""
    monkeypatch.setenv("PULSE_SERVER", steady_server.address)
    return steady_server


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A sound server to torment."""
    with sound_server(tmp_path) as running:
        monkeypatch.setenv("PULSE_SERVER", running.address)
        yield running


def record(server: SoundServer, played: Pcm, *, device: str = "default") -> list[Block]:
    """What the microphone hears from its first block until ``played`` is through."""
    taken: list[Block] = []
    enough = len(played) + RATE // 2 + RATE // 4
    for block in Microphone(device).blocks(lambda: bool(taken) and taken[-1].end > enough):
        if not taken:
            player = server.play(played)
        taken.append(block)
    player.wait()
    return taken


def instead_of_sounddevice(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the child process import ``code`` under the name of sounddevice."""
    (folder / "sounddevice.py").write_text(dedent(code))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    )


def test_a_microphone_of_16_khz_comes_through_bit_by_bit(server: SoundServer) -> None:
    wake_up = np.zeros(RATE // 4, np.int16)
    blocks = record(server, np.concatenate([wake_up, SPEECH]))
    assert [block.start for block in blocks] == [0, *(block.end for block in blocks[:-1])]
    heard = np.concatenate([block.pcm for block in blocks])
    at, _ = locate(SPEECH, heard)
    assert np.array_equal(heard[at : at + len(SPEECH)], SPEECH)


def test_blocks_are_heard_just_before_they_arrive(server: SoundServer) -> None:
    assert server
    blocks = islice(Microphone().blocks(lambda: False), 10)
    delay = [time.time() - block.heard_at - len(block.pcm) / RATE for block in blocks]
    assert -0.001 <= np.median(delay) < 0.1


@pytest.mark.parametrize("refused", ["samplerate == 16000", "channels == 1"])
def test_a_device_that_refuses_16_khz_mono_is_resampled(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    instead_of_sounddevice(
        f"""
        import sys, importlib
        sys.path.remove({str(tmp_path)!r}), sys.modules.pop("sounddevice")
        real = importlib.import_module("sounddevice")

        class RawInputStream(real.RawInputStream):
            def __init__(self, *, samplerate, channels, **others):
                if {refused}:
                    raise real.PortAudioError("Invalid sample rate", -9997)
                super().__init__(samplerate=samplerate, channels=channels, **others)

        real.RawInputStream = RawInputStream
        sys.modules["sounddevice"] = real
        """,
        tmp_path,
        monkeypatch,
    )
    heard = np.concatenate([block.pcm for block in record(server, SPEECH)])
    assert locate(SPEECH[RATE : RATE + 8000], heard)[1] > 0.99


@pytest.mark.parametrize("channels", [4, 6, 8, 128])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_an_array_that_knows_only_its_own_channels_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, rate: int
) -> None:
    """A stand-in for PortAudio: there is no such device on a test machine."""
    code = f"""
        import array, math, time
        class PortAudioError(Exception): pass
        class default: device = (0, 0)
        def query_hostapis(): return [dict(name="ALSA", default_input_device=0)]
        def query_devices():
            return [dict(index=0, name="array", hostapi=0, max_input_channels={channels},
                         default_samplerate={rate}.0)]
        class RawInputStream:
            def __init__(self, device, samplerate, channels, dtype, latency):
                if (samplerate, channels) != ({rate}, {min(channels, 32)}):
                    raise PortAudioError("Invalid number of channels", -9998)
                self.samplerate, self.channels, self.n = samplerate, channels, 0
            def start(self): pass
            def read(self, n):
                out = array.array("h", bytes(2 * n * self.channels))
                for i in range(n):  # in the second channel alone
                    phase = 2 * math.pi * 220 * (self.n + i) / self.samplerate
                    out[i * self.channels + 1] = int(6000 * math.sin(phase))
                self.n += n
                time.sleep(0.01)
                return bytes(out), False
    """
    instead_of_sounddevice(code, tmp_path, monkeypatch)
    heard: list[Block] = []
    for block in Microphone().blocks(lambda: bool(heard) and heard[-1].end > RATE):
        heard.append(block)  # noqa: PERF402 - looked at above
    pcm = np.concatenate([block.pcm for block in heard])[RATE // 2 :]
    assert np.abs(pcm).max() == pytest.approx(6000, rel=0.02)


@pytest.mark.parametrize("missing", ["ImportError('no module')", "OSError('PortAudio library not found')"])
def test_missing_libraries_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    instead_of_sounddevice(f"raise {missing}", tmp_path, monkeypatch)
    with pytest.raises(CaptureError, match=r"install vser-stream\[mic\] and libportaudio2$"):
        next(Microphone().blocks(lambda: False))


CRASHES = """
    import os, pathlib, signal
    crashes = pathlib.Path({folder!r}, "crashes")
    left = int(crashes.read_text())
    crashes.write_text(str(left - 1))
    if left > 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    class default:
        device = (0, 0)
    def query_hostapis(): return [{{"name": "ALSA", "default_input_device": 0}}]
    def query_devices():
        return [dict(index=0, hostapi=0, name="m", max_input_channels=1, default_samplerate=16000.0)]
"""


def test_a_sound_library_that_crashes_once_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    instead_of_sounddevice(CRASHES.format(folder=str(tmp_path)), tmp_path, monkeypatch)
    (tmp_path / "crashes").write_text("1")
    assert [device.name for device in list_inputs()] == ["m"]
    assert "restarted" in caplog.text
    assert "SIGSEGV" in caplog.text


def test_a_sound_library_that_always_crashes_is_told_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of_sounddevice(CRASHES.format(folder=str(tmp_path)), tmp_path, monkeypatch)
    (tmp_path / "crashes").write_text("9")
    with pytest.raises(CaptureError, match=r"sound system: went away \(SIGSEGV\)"):
        list_inputs()
    assert (tmp_path / "crashes").read_text() == "7"


def test_inputs_are_listed(server: SoundServer) -> None:
    assert server
    inputs = list_inputs()
    assert [(device.name, device.is_default) for device in inputs] == [("pulse", False), ("default", True)]
    assert inputs[1] == InputDevice(1, "default", "ALSA", inputs[1].channels, inputs[1].rate, is_default=True)


@pytest.mark.parametrize("name", ["default", "pulse", "0", "PUL"])
def test_a_device_is_found_by_name_index_or_part_of_its_name(server: SoundServer, name: str) -> None:
    assert server
    assert next(Microphone(name).blocks(lambda: False)).start == 0


@pytest.mark.parametrize(
    ("name", "problem"), [("studio", "no such input"), ("7", "no such input"), ("ul", "fits several inputs")]
)
def test_an_unclear_name_is_told_with_the_choices(server: SoundServer, name: str, problem: str) -> None:
    assert server
    with pytest.raises(CaptureError) as caught:
        next(Microphone(name).blocks(lambda: False))
    assert str(caught.value) == f"microphone {name!r}: {problem}; choose one of: pulse, default"


def test_no_sound_server_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    with pytest.raises(CaptureError, match="there is no audio input at all"):
        next(Microphone().blocks(lambda: False))


def test_a_device_that_goes_away_is_noticed_at_once(own_server: SoundServer) -> None:
    message, after = lost(Microphone(), own_server.kill)
    assert message == "microphone 'default': went away; check the device and the sound server"
    assert after < 1.0 * BUSY


def test_a_frozen_sound_server_is_noticed(own_server: SoundServer) -> None:
    message, after = lost(Microphone(stall_after=2.5), own_server.freeze)
    assert message == "microphone 'default': silent for 2.5 s; check the device and the sound server"
    assert after < 3.5 * BUSY


def test_a_sound_server_frozen_from_the_start_hangs_nobody(own_server: SoundServer) -> None:
    own_server.freeze()
    began = time.monotonic()
    with pytest.raises(CaptureError, match="silent for 1 s"):
        next(Microphone(stall_after=1.0).blocks(lambda: False))
    with pytest.raises(CaptureError, match="silent for 1 s"):
        list_inputs(timeout=1.0)
    assert time.monotonic() - began < 3.0 * BUSY


def stalled(stall: Callable[[], None], thaw: Callable[[], None]) -> tuple[list[int], float]:
    """Jumps of the position around a stall of 1.2 s, and how far it is off the clock after it (s)."""
    blocks: list[Block] = []
    arrived: list[float] = []
    timer = threading.Timer(1.2, thaw)
    for block in Microphone().blocks(lambda: bool(arrived) and time.monotonic() - arrived[0] > 2.2):
        blocks.append(block)
        arrived.append(time.monotonic())
        if len(blocks) == 5:
            stall()
            timer.start()
    timer.join()
    jumps = [after.start - before.end for before, after in pairwise(blocks)]
    counted = (blocks[-1].end - blocks[0].end) / RATE
    return [jump for jump in jumps if jump], arrived[-1] - arrived[0] - counted


def test_audio_lost_in_a_stall_moves_the_position_on(own_server: SoundServer) -> None:
    jumps, off = stalled(own_server.suspend, own_server.resume)
    assert len(jumps) == 1
    assert jumps[0] > 0.8 * RATE
    assert abs(off) < HALF_OF_IT


def test_a_stall_that_loses_nothing_moves_nothing(own_server: SoundServer) -> None:
    jumps, off = stalled(own_server.freeze, own_server.thaw)
    assert jumps == []
    assert abs(off) < HALF_OF_IT


def test_a_stop_is_heeded_even_while_the_server_is_frozen(own_server: SoundServer) -> None:
    stop_at: list[float] = []

    def stopped() -> bool:
        return bool(stop_at) and time.monotonic() > stop_at[0]

    for _ in Microphone().blocks(stopped):
        own_server.freeze()
        stop_at.append(time.monotonic() + 0.3)
    assert time.monotonic() - stop_at[0] < 0.5 * BUSY


HARDENED = """
import ctypes
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
from vser_stream.adapters.audio.microphone import Microphone
print(len(next(Microphone().blocks(lambda: False)).pcm))
"""


def test_it_works_where_memory_may_not_be_writable_and_executable(server: SoundServer) -> None:
    assert server
    command = [sys.executable, "-c", HARDENED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    assert (done.returncode, int(done.stdout or 0) > 0) == (0, True), done.stderr
