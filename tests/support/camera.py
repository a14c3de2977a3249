"""A real RTSP camera, the line to it, and servers that misbehave.

Debian: python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
gstreamer1.0-libav gstreamer1.0-rtsp
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vser_stream.values import Pcm

_SERVER = Path(__file__).with_name("rtsp_server.py")
_PYTHON = "/usr/bin/python3"
"""Debian's own: its GObject bindings are not on PyPI."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A running camera that plays one recording in a loop."""

    port: int
    process: subprocess.Popen[str]

    def url(self, mount: str, *, login: str = "") -> str:
        return f"rtsp://{login}127.0.0.1:{self.port}/{mount}"

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def camera(
    pcm: Pcm, folder: Path, *, login: tuple[str, str] | None = None, digest: bool = False, port: int = 0
) -> Iterator[Camera]:
    """Serve ``pcm`` on ``port``, or a free one; see :mod:`support.rtsp_server` for its streams."""
    raw = folder / "camera.raw"
    raw.write_bytes(pcm.tobytes())
    command = [_PYTHON, str(_SERVER), str(raw), "--port", str(port)]
    if login:
        command += ["--user", login[0], "--password", login[1]]
    if digest:
        command.append("--digest")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Camera(int(process.stdout.readline()), process)
        finally:
            process.kill()


_RTCP = bytes.fromhex("2401001c80c80006000000010000000100000000000000000000000000000000")
"""An interleaved sender report (RFC 3550 6.4.1) on channel 1."""


class Relay:
    """The TCP line to a camera, one connection after another; it can lose audio."""

    def __init__(self, upstream: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._upstream = upstream
        self._ended = threading.Event()
        self.losing = threading.Event()
        """Set: interleaved RTP is dropped, the rest goes through."""

        self.chatting = threading.Event()
        """Set: sender reports come all the time."""

        self.asked = b""
        """What the client has said so far."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        with self._listener:
            while not self._ended.is_set():
                if select.select([self._listener], [], [], 0.05)[0]:
                    client, _ = self._listener.accept()
                    server = socket.create_connection(("127.0.0.1", self._upstream))
                    with client, server, suppress(OSError):  # the client hung up
                        self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        held = b""
        while not self._ended.is_set():
            ready, _, _ = select.select([client, server], [], [], 0.05)
            if client in ready:
                if not (said := client.recv(65_536)):
                    return
                self.asked += said
                server.sendall(said)
            if server in ready:
                held += server.recv(65_536)
                held = self._forward(held, client)
            if self.chatting.is_set():
                client.sendall(_RTCP)

    def stop(self) -> None:
        self._ended.set()

    def _forward(self, data: bytes, client: socket.socket) -> bytes:
        """Pass on whole interleaved frames ($, channel, 16-bit length; RFC 2326 10.12) and text."""
        while data.startswith(b"$") and len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[2:4]):
            frame, data = data[: 4 + int.from_bytes(data[2:4])], data[4 + int.from_bytes(data[2:4]) :]
            if not (self.losing.is_set() and frame[1] == 0):
                client.sendall(frame)
        if data.startswith(b"$"):
            return data
        text, dollar, rest = data.partition(b"$")
        client.sendall(text)
        return dollar + rest


@contextmanager
def relay(upstream: Camera) -> Iterator[Relay]:
    """A line to ``upstream``."""
    line = Relay(upstream.port)
    thread = threading.Thread(target=line.run)
    thread.start()
    try:
        yield line
    finally:
        line.stop()
        thread.join()


@contextmanager
def talker(greeting: bytes, *, hangs_up: bool = False) -> Iterator[int]:
    """Port of a server that tells its one caller ``greeting``, then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            connection, _ = listener.accept()
            connection.sendall(greeting)
            if hangs_up:
                connection.close()
            held.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            thread.join()
            for connection in held:
                connection.close()


@contextmanager
def mute_server(*, port: int = 0, drip: bytes = b"") -> Iterator[int]:
    """Port of a server that accepts everybody and says nothing, or ``drip`` every half second."""
    ended = threading.Event()
    held: list[socket.socket] = []

    def serve() -> None:
        while not ended.wait(0.1):
            if select.select([listener], [], [], 0.4)[0]:
                held.append(listener.accept()[0])
            for connection in held if drip else []:
                with suppress(OSError):
                    connection.sendall(drip)

    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            ended.set()
            thread.join()
            for connection in held:
                connection.close()
