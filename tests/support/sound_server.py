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


@dataclass(frozen=True, slots=True)
class SoundServer:
    """A running sound server; what is played on it is heard by its microphone."""

    address: str
    """Value of ``PULSE_SERVER`` for its clients."""

    process: subprocess.Popen[bytes]

    def play(self, pcm: Pcm) -> subprocess.Popen[bytes]:
        """Start to play 16 kHz mono audio; its first 100 ms are lost while the sink wakes up."""
        command = ["pacat", "--raw", "--format=s16le", "--rate=16000", "--channels=1"]
        player = subprocess.Popen(
            command, env=os.environ | {"PULSE_SERVER": self.address}, stdin=subprocess.PIPE
        )
        assert player.stdin is not None
        with player.stdin as pipe:
            pipe.write(pcm.tobytes())
        return player

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()


@contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    """Start a server with its files in ``folder``."""
    address = f"unix:{folder}/native"
    command = [
        "pulseaudio",
        "-n",
        *(f"--{name}={value}" for name, value in _OPTIONS.items()),
        f"--load=module-native-protocol-unix socket={folder}/native auth-anonymous=1",
        "--load=module-null-sink sink_name=virtual rate=16000 channels=1 format=s16le",
    ]
    home = {
        name: str(folder) for name in ("HOME", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "XDG_RUNTIME_DIR")
    }
    with subprocess.Popen(command, env=os.environ | home, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers(address)
            yield SoundServer(address, process)
        finally:
            process.kill()


def _wait_until_it_answers(address: str) -> None:
    due = time.monotonic() + 10.0
    command = ["pactl", f"--server={address}", "set-default-source", "virtual.monitor"]
    while subprocess.run(command, check=False, capture_output=True).returncode != 0:
        assert time.monotonic() < due, "PulseAudio does not answer"
        time.sleep(0.02)
