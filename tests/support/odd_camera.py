"""An RTSP camera on 127.0.0.1 whose description, answers and packets are what a test says."""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import av

from vser_stream.values import Pcm

__all__ = ["PCMA", "Heard", "OddCamera", "alaw", "coded", "description", "odd_camera", "rtp"]

PCMA = "m=audio 0 RTP/AVP 8\r\na=control:track1\r\n"


def description(*media: str) -> str:
    """A session description of these media."""
    return "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=odd\r\nt=0 0\r\na=control:*\r\n" + "".join(media)


def rtp(payload: bytes, *, sequence: int, timestamp: int, payload_type: int = 8) -> bytes:
    """One packet."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence % 65536, timestamp % 2**32, 7) + payload


def alaw(pcm: Pcm) -> bytes:
    """8 kHz samples as G.711."""
    return b"".join(coded("pcm_alaw", pcm, rate=8000))


def coded(codec: str, pcm: Pcm, *, rate: int) -> list[bytes]:
    """Frames of a codec."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.AudioCodecContext)
    formats = context.codec.audio_formats
    assert formats
    context.sample_rate, context.layout, context.format = rate, "mono", formats[0]
    context.open()
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or None)
    packets = [one for part in resampler.resample(frame) for one in context.encode(part)]
    return [bytes(packet) for packet in (*packets, *context.encode(None))]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request."""

    method: str
    url: str
    text: str


Answer = Callable[[Heard, int], Iterable[bytes] | None]
"""Takes a request and the port of the camera; bytes instead of the usual answer, or None."""


class OddCamera:
    """What it was asked so far; see :func:`odd_camera`."""

    def __init__(
        self,
        sdp: str,
        packets: Iterable[bytes],
        answer: Answer,
        *,
        hangs_up: bool,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._sdp, self._packets, self._answer, self._hangs_up = sdp, packets, answer, hangs_up
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ended = threading.Event()
        self._workers: list[threading.Thread] = []
        self.requests: list[Heard] = []
        self.connections = 0
        self.sent = 0
        """Bytes of its answers."""

    def url(self, path: str = "stream", *, login: str = "") -> str:
        return f"{'rtsps' if self._tls else 'rtsp'}://{login}127.0.0.1:{self.port}/{path}"

    def asked(self, method: str) -> list[str]:
        """URLs of the requests of one kind."""
        return [request.url for request in self.requests if request.method == method]

    def serve(self) -> None:
        while not self._ended.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                self.connections += 1
                worker = threading.Thread(target=self._talk, args=(self._listener.accept()[0],))
                worker.start()
                self._workers.append(worker)

    def stop(self) -> None:
        self._ended.set()

    def wait(self) -> None:
        for worker in self._workers:
            worker.join()
        self._listener.close()

    def _talk(self, plain: socket.socket) -> None:
        held = b""
        with plain, suppress(OSError), self._tls_of(plain) as line:
            while not self._ended.is_set():
                if not select.select([line], [], [], 0.05)[0]:
                    continue
                if not (said := line.recv(65_536)):
                    return
                held += said
                while b"\r\n\r\n" in held:
                    text, _, held = held.partition(b"\r\n\r\n")
                    method, url, *_ = text.decode("latin-1").split(" ")
                    if not self._obey(line, Heard(method, url, text.decode("latin-1"))):
                        return

    def _tls_of(self, plain: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(plain, server_side=True) if self._tls else plain

    def _obey(self, line: socket.socket, request: Heard) -> bool:
        """Answer; whether the line stays open."""
        self.requests.append(request)
        line.settimeout(5.0)
        instead = self._answer(request, self.port)
        for piece in self._usual(request) if instead is None else instead:
            self.sent += len(piece)
            line.sendall(piece)
        if request.method == "PLAY" and self.asked("SETUP")[-1].endswith("track1"):
            for packet in self._packets:
                if self._ended.is_set():
                    return False
                line.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
            return not self._hangs_up
        return request.method != "TEARDOWN"

    def _usual(self, request: Heard) -> Iterator[bytes]:
        cseq = re.search(r"CSeq: *(\d+)", request.text)
        head = f"RTSP/1.0 200 OK\r\nCSeq: {cseq[1] if cseq else 0}\r\nSession: 7;timeout=60\r\n"
        if request.method == "SETUP":
            head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        body = self._sdp if request.method == "DESCRIBE" else ""
        yield f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


@contextmanager
def odd_camera(
    sdp: str = description(PCMA),
    packets: Iterable[bytes] = (),
    *,
    answer: Answer = lambda _request, _port: None,
    hangs_up: bool = True,
    tls: ssl.SSLContext | None = None,
) -> Iterator[OddCamera]:
    """Send ``packets`` after PLAY of ``track1`` as fast as they are taken, and then hang up."""
    camera = OddCamera(sdp, packets, answer, hangs_up=hangs_up, tls=tls)
    thread = threading.Thread(target=camera.serve)
    thread.start()
    try:
        yield camera
    finally:
        camera.stop()
        thread.join()
        camera.wait()
