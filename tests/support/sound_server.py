"""A virtual microphone: a private PulseAudio whose null sink is its own source.

Debian: pulseaudio pulseaudio-utils libasound2-plugins libportaudio2
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.patience import HANGS

from vser_stream.values import Pcm

_OPTIONS = {
    "daemonize": "no",
    "exit-idle-time": "-1",
    "use-pid-file": "no",
    "disallow-exit": "yes",
    "realtime": "no",
    "high-priority": "no",
    "log-level": "error",
}


_MICROPHONE = ("sink_name=virtual", "rate=16000", "channels=1", "format=s16le")


@dataclass(frozen=True, slots=True)
class SoundServer:
    """A running sound server; what is played on it is heard by its microphone."""

    address: str
    """Value of ``PULSE_SERVER`` for its clients."""

    folder: Path
    process: subprocess.Popen[bytes]

    def play(self, pcm: Pcm) -> subprocess.Popen[bytes]:
        """Start to play 16 kHz mono audio; its first 100 ms are lost while the sink wakes up."""
        recording = self.folder / "played.raw"
        recording.write_bytes(pcm.tobytes())
        # Without a latency of its own, it makes the sink deliver 2 s at a time.
        form = ["--raw", "--format=s16le", "--rate=16000", "--channels=1", "--latency-msec=400"]
        return subprocess.Popen(["pacat", f"--server={self.address}", *form, str(recording)])

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def suspend(self) -> None:
        """Let the microphone hear nothing, not even silence."""
        self._control("suspend-sink", "virtual", "1")

    def resume(self) -> None:
        self._control("suspend-sink", "virtual", "0")

    def unplug(self) -> None:
        """Take the microphone away; the server stays."""
        self._control("unload-module", "module-null-sink")

    def plug(self) -> None:
        """Bring it back."""
        self._control("load-module", "module-null-sink", *_MICROPHONE)
        self._control("set-default-source", "virtual.monitor")

    def _control(self, *command: str) -> None:
        subprocess.run(["pactl", f"--server={self.address}", *command], check=True, capture_output=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    """Start a server with its files in ``folder``."""
    address = f"unix:{folder}/native"
    command = [
        "pulseaudio",
        "-n",
        *(f"--{name}={value}" for name, value in _OPTIONS.items()),
        f"--load=module-native-protocol-unix socket={folder}/native auth-anonymous=1",
        f"--load=module-null-sink {' '.join(_MICROPHONE)}",
    ]
    home = {
        name: str(folder) for name in ("HOME", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "XDG_RUNTIME_DIR")
    }
    with subprocess.Popen(command, env=os.environ | home, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers(address)
            with _listener(address):
                yield SoundServer(address, folder, process)
        finally:
            process.kill()


@contextmanager
def _listener(address: str) -> Iterator[None]:
    """Someone who always listens: the first stream of an idle null sink waits for 2 s."""
    command = ["parec", f"--server={address}", "--latency-msec=100", "--rate=16000", "--channels=1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def _wait_until_it_answers(address: str) -> None:
    due = time.monotonic() + HANGS
    command = ["pactl", f"--server={address}", "set-default-source", "virtual.monitor"]
    while subprocess.run(command, check=False, capture_output=True).returncode != 0:
        assert time.monotonic() < due, "PulseAudio does not answer"
        time.sleep(0.02)
