"""Cameras over RTSP as an audio source."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from vser_stream.adapters.arrival import wall_time
from vser_stream.adapters.media import Chunk, Fault, MediaError, Track, decode, track_of
from vser_stream.core.continuity import Continuity
from vser_stream.errors import CaptureError, CaptureRefusedError
from vser_stream.fields import CAMERA_URL
from vser_stream.files import first_line
from vser_stream.values import Block

__all__ = ["RtspCamera", "redact"]

_SECRET_IN_PATH = re.compile(r"((?:pass\w*|pwd|pw|\w*key|\w*token|auth\w*|secret|sig\w*)=).*", re.IGNORECASE)

_WORDS = {
    Fault.UNAUTHORIZED: "wrong user name or password (401); correct username and password_file",
    Fault.NOT_FOUND: "the camera has no such stream (404); correct the path of the url",
    # What a camera without sound answers: all that was set up is audio, so there is nothing to play.
    Fault.REJECTED: "the camera will not play it (4xx); switch its audio on, or close other viewers",
    Fault.REFUSED: "connection refused; check the port, and that the camera is on",
    Fault.TIMED_OUT: "timed out; check the network and the camera",
    Fault.NO_AUDIO: "the stream has no audio track; switch audio on in the camera",
}


def redact(url: str) -> str:
    """The URL without user, password, and what follows ``password=``, ``key=`` or ``token=`` in its path."""
    return _SECRET_IN_PATH.sub(r"\1***", re.sub(r"//.*@", "//", url))


@dataclass(frozen=True, slots=True)
class RtspCamera:
    """The audio track of a camera; its video is never asked for."""

    url: str = field(repr=False)
    """``rtsp://host[:port]/path``, with ``user:password@`` or without."""

    transport: Literal["tcp", "udp"] = field(default="tcp", kw_only=True)

    open_timeout: float = field(default=5.0, kw_only=True)
    """Longest wait until the stream is open, the look-up of its host name aside (s)."""

    read_timeout: float = field(default=3.0, kw_only=True)
    """Longest silence on the line; bounds the wait for ``stopped`` too (s)."""

    username: str | None = field(default=None, kw_only=True)
    """Instead of one in the URL."""

    password_file: Path | None = field(default=None, kw_only=True)
    """Its first line is the password; read anew for each connection."""

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        """Yield audio as it arrives; see :class:`~vser_stream.ports.AudioSource`.

        Raises:
            CaptureRefusedError: The camera does not take this user or password.
            CaptureError: The camera cannot be reached, does not deliver, or went away.
        """
        timeline = _Timeline()
        with closing(self._chunks()) as chunks:
            for chunk in chunks:
                if stopped():
                    return
                yield from timeline.blocks(chunk)
        raise CaptureError(f"{redact(self.url)}: camera closed the stream; check the camera")

    def track(self) -> Track:
        """Log in and say what the camera's audio is; nothing is played.

        Raises:
            CaptureRefusedError: The camera does not take this user or password.
            CaptureError: The camera cannot be reached, or has no audio.
        """
        opening = time.monotonic()
        try:
            return track_of(self._address(), options=self._options(), timeout=self._timeout)
        except MediaError as exc:
            raise self._translated(exc, time.monotonic() - opening) from exc

    def host_and_port(self) -> tuple[str, int]:
        """Where the camera is.

        Raises:
            CaptureError: The URL is no RTSP address.
        """
        parts = self._parts()
        port = re.match(r":(\d+)", parts["rest"])
        default = 322 if parts["scheme"].lower() == "rtsps" else 554
        return parts["host"].strip("[]"), int(port[1]) if port else default

    def _chunks(self) -> Generator[Chunk]:
        """Decoded chunks until the camera closes the stream.

        Raises:
            CaptureError: As :meth:`blocks`.
        """
        opening = time.monotonic()
        heard: float | None = None
        try:
            with closing(self._decode()) as chunks:
                for chunk in chunks:
                    heard = self._check_alive(chunk, heard)
                    yield chunk
        except MediaError as exc:
            waited = time.monotonic() - opening if heard is None else 0.0
            raise self._translated(exc, waited) from exc

    def _translated(self, exc: MediaError, waited: float) -> CaptureError:
        """What to tell a person, after ``waited`` seconds of opening; 0 if it was open."""
        kind = CaptureRefusedError if exc.fault is Fault.UNAUTHORIZED else CaptureError
        return kind(f"{redact(self.url)}: {self._in_words(exc, waited)}")

    def _check_alive(self, chunk: Chunk, heard: float | None) -> float:
        """When audio was last heard: packets alone do not keep a stream alive."""
        now = time.monotonic()
        if len(chunk.pcm) or heard is None:
            return now
        if now - heard > self.read_timeout:
            raise MediaError(Fault.UNREADABLE, "its audio does not decode")
        return heard

    def _decode(self) -> Generator[Chunk]:
        return decode(self._address(), options=self._options(), timeout=self._timeout)

    @property
    def _timeout(self) -> tuple[float, float]:
        return self.open_timeout, self.read_timeout

    def _options(self) -> dict[str, str]:
        return {
            "rtsp_transport": self.transport,
            # In microseconds, and blind to a camera that drips bytes or sends RTCP only: a second
            # line behind PyAV's own timeout, so it must not be the shorter one.
            "timeout": str(int(max(self._timeout) * 1e6)),
            "allowed_media_types": "audio",
        }

    def _address(self) -> str:
        """The URL with user and password in it, percent-encoded as FFmpeg wants them."""
        parts = self._parts()
        user, _, password = (parts["login"] or "").partition(":")
        user = unquote(user) if self.username is None else self.username
        password = unquote(password) if self.password_file is None else self._password(self.password_file)
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        # FFmpeg knows no scheme in capitals.
        return f"{parts['scheme'].lower()}://{login}{parts['host']}{parts['rest']}"

    def _parts(self) -> re.Match[str]:
        parts = CAMERA_URL.fullmatch(self.url)
        if parts is None:
            raise CaptureError(f"{redact(self.url)}: not an RTSP address; write rtsp://host:port/path")
        return parts

    def _password(self, path: Path) -> str:
        try:
            return first_line(path)
        except OSError as exc:
            raise CaptureError(
                f"{redact(self.url)}: password_file {path}: {exc.strerror}; correct it"
            ) from exc

    def _in_words(self, exc: MediaError, waited: float) -> str:
        # A camera that never answers ends in "invalid data" once its time is up.
        if exc.fault is Fault.UNREADABLE and waited >= self.open_timeout:
            return _WORDS[Fault.TIMED_OUT]
        if exc.fault in _WORDS:
            return _WORDS[exc.fault]
        if not waited:
            return f"the stream broke off ({exc.reason}); check the network and the camera"
        if not self._has_address():
            return "no such host; correct the url, or check the name server"
        return f"no stream that can be read ({exc.reason}); check the url and the camera"

    def _has_address(self) -> bool:
        """Whether the name resolves: FFmpeg tells a wrong name from other faults only in its log."""
        try:
            socket.getaddrinfo(self.host_and_port()[0], None)
        except OSError:
            return False
        return True


class _Timeline:
    """Positions by what arrives; timestamps tell no more than the length of a gap."""

    def __init__(self) -> None:
        self._continuity = Continuity()
        self._due: float | None = None

    def blocks(self, chunk: Chunk) -> Iterator[Block]:
        """What can be placed after ``chunk`` arrived."""
        arrived, jump = time.monotonic(), self._jump(chunk)
        if len(chunk.pcm):
            for placed in self._continuity.feed(chunk.pcm, arrived=arrived, jump=jump):
                yield Block(placed.pcm, start=placed.start, heard_at=wall_time(placed.heard))

    def _jump(self, chunk: Chunk) -> float:
        if chunk.time is None:
            return 0.0
        jump = 0.0 if self._due is None else chunk.time - self._due
        self._due = chunk.time + chunk.duration
        return jump
