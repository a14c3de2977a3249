"""Cameras over RTSP as an audio source."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from vser_stream.adapters.audio.arrival_clock import wall_time
from vser_stream.adapters.audio.ffmpeg import Chunk, Fault, MediaError, PacketDecoder
from vser_stream.adapters.audio.rtsp_client import Place, RtspClient
from vser_stream.adapters.audio.rtsp_login import Login
from vser_stream.config.fields import CAMERA_URL
from vser_stream.config.schema import Transport
from vser_stream.core.rtp.continuity import Continuity
from vser_stream.core.rtp.packets import RtpPacket, ticks_between
from vser_stream.core.rtp.payload import Coding, coding_of, refusal, unpacker
from vser_stream.core.rtp.sdp import AudioTrack, audio_tracks, receivable
from vser_stream.errors import CaptureError, CaptureRefusedError
from vser_stream.files import first_line
from vser_stream.values import Block

__all__ = ["RtspCamera", "Track", "redact"]

_REDIRECTS = 3
"""A camera sends on once, if at all."""

_CONTRADICTIONS = 10
"""Timestamps that tell of lost audio which was not lost, from which on it is worth a line in the log."""

_LOG = logging.getLogger(__name__)

_WORDS = {
    Fault.UNAUTHORIZED: "wrong user name or password (401); correct username and password_file",
    Fault.NOT_FOUND: "the camera has no such stream (404); correct the path of the url",
    Fault.REJECTED: "the camera refuses to play it (4xx); switch its audio on, or close other viewers",
    Fault.NO_HOST: "no such host; correct the url, or check the name server",
    Fault.REFUSED: "connection refused; check the port, and that the camera is on",
    Fault.TIMED_OUT: "timed out; check the network and the camera",
    Fault.CLOSED: "camera closed the stream; check the camera",
    Fault.NO_AUDIO: "the stream has no audio track; switch its audio on in the camera",
}


def redact(url: str) -> str:
    """The URL without user and password, and without its path: cameras have tokens and passwords there."""
    shown = re.sub(r"://.*@", "://", url, flags=re.DOTALL)
    return re.sub(r"(://[^/?#\s]*)[/?#\s].+", r"\1/...", shown, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Track:
    """An audio track as a camera declares it."""

    codec: str
    """FFmpeg's name, such as ``pcm_alaw``."""

    rate: int
    """Hz."""

    channels: int


@dataclass(frozen=True, slots=True)
class RtspCamera:
    """The audio track of a camera; its video is never asked for."""

    url: str = field(repr=False)
    """``rtsp://host[:port]/path``, with ``user:password@`` or without."""

    transport: Transport = field(default="tcp", kw_only=True)

    open_timeout: float = field(default=5.0, kw_only=True)
    """Longest wait until the stream is open, the look-up of its host name aside (s)."""

    read_timeout: float = field(default=3.0, kw_only=True)
    """Longest silence on the line (s)."""

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
        with self._in_words():
            yield from self._blocks(stopped, skipped=0)

    def _blocks(self, stopped: Callable[[], bool], *, skipped: int) -> Iterator[Block]:
        """As :meth:`blocks`, from the best track but so many; a track that never sends is passed over."""
        heard = False
        with self._chosen(skipped) as (client, tracks, coding):
            hearing = _Hearing(tracks[0], coding, patience=self.read_timeout, shown=redact(self.url))
            client.play()
            try:
                for packet in client.packets(stopped, patience=self.read_timeout):
                    heard = True
                    yield from hearing.blocks(packet)
            except MediaError as exc:
                if heard or exc.fault is not Fault.TIMED_OUT or not tracks[1:]:
                    raise
            else:
                if not stopped():
                    raise MediaError(Fault.CLOSED, "goodbye")
                return
        yield from self._blocks(stopped, skipped=skipped + 1)

    def track(self) -> Track:
        """Log in and say what the camera's audio is; nothing is played.

        Raises:
            CaptureRefusedError: The camera does not take this user or password.
            CaptureError: The camera cannot be reached, or has no audio.
        """
        with self._in_words(), self._chosen(0) as (_, _, coding):
            return Track(coding.decoder, coding.rate, coding.channels)

    def host_and_port(self) -> tuple[str, int]:
        """Where the camera is.

        Raises:
            CaptureError: The URL is no RTSP address.
        """
        place = self._place(self._plain_url())
        return place.host, place.port

    @contextmanager
    def _chosen(self, skipped: int) -> Iterator[tuple[RtspClient, list[AudioTrack], Coding]]:
        """A connection on which the best audio track but so many is set up; it, and those after it."""
        client, description = self._described()
        try:
            tracks = _playable(audio_tracks(description))[skipped:]
            coding = coding_of(tracks[0]) if tracks else None
            if coding is None:
                raise MediaError(Fault.NO_AUDIO, "another description than before")
            client.set_up(tracks[0])
            yield client, tracks, coding
        finally:
            client.close()

    def _described(self) -> tuple[RtspClient, str]:
        """A connection, and what there is to hear; sent on by the camera to itself only."""
        url = self._plain_url()
        place, login = self._place(url), self._login()
        for _ in range(1 + _REDIRECTS):
            client = RtspClient(place, url, login=login, transport=self.transport, timeout=self.open_timeout)
            try:
                return client, client.describe()
            except MediaError as exc:
                client.close()
                if exc.fault is not Fault.SENT_ON:
                    raise
                if Place.of(exc.reason) != place:  # whoever is there would get the password
                    raise MediaError(Fault.OTHER, _elsewhere(exc.reason)) from None
                url = exc.reason
            except BaseException:
                client.close()
                raise
        raise MediaError(Fault.OTHER, "it redirects to itself; correct the path of the url")

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except MediaError as exc:
            kind = CaptureRefusedError if exc.fault is Fault.UNAUTHORIZED else CaptureError
            raise kind(f"{redact(self.url)}: {self._words(exc)}") from exc

    def _words(self, exc: MediaError) -> str:
        if exc.fault is Fault.TRANSPORT:
            other = "udp" if self.transport == "tcp" else "tcp"
            return (
                f"the camera does not support transport {self.transport.upper()} (461); "
                f'set transport = "{other}" for this source'
            )
        if exc.fault in _WORDS:
            return _WORDS[exc.fault]
        if exc.fault is Fault.ABSURD:
            return exc.reason
        return f"no stream that can be read ({exc.reason}); check the url and the camera"

    def _plain_url(self) -> str:
        """The URL without user and password."""
        parts = self._parts()
        return f"{parts['scheme'].lower()}://{parts['host']}{parts['rest']}"

    def _place(self, url: str) -> Place:
        place = Place.of(url)
        if place is None:
            raise CaptureError(f"{redact(self.url)}: not an RTSP address; write rtsp://host:port/path")
        return place

    def _parts(self) -> re.Match[str]:
        parts = CAMERA_URL.fullmatch(self.url)
        if parts is None:
            raise CaptureError(f"{redact(self.url)}: not an RTSP address; write rtsp://host:port/path")
        if "@" in parts["rest"] and self.username is None:
            # What looks like the host may be a piece of a password: it is neither shown nor looked up.
            raise CaptureError(
                f"{redact(self.url)}: not an RTSP address, for there is an @ behind the host; "
                "give a password with / ? # or @ in password_file, or percent-encoded"
            )
        return parts

    def _login(self) -> Login:
        user, _, password = (self._parts()["login"] or "").partition(":")
        return Login(
            unquote(user) if self.username is None else self.username,
            unquote(password) if self.password_file is None else self._password(self.password_file),
        )

    def _password(self, path: Path) -> str:
        try:
            return first_line(path)
        except OSError as exc:
            raise CaptureError(
                f"{redact(self.url)}: password_file {path}: {exc.strerror}; correct it"
            ) from exc


def _playable(tracks: list[AudioTrack]) -> list[AudioTrack]:
    """The tracks that bring sound and can be decoded, best first; at least one."""
    found = receivable(tracks)
    if not found:
        raise MediaError(Fault.NO_AUDIO, "no audio track")
    playable = [track for track in found if refusal(track) is None]
    if not playable:
        advice = "choose G.711, AAC or Opus at 8 to 48 kHz in the camera"
        raise MediaError(Fault.ABSURD, f"{refusal(found[0])}; {advice}")
    return playable


def _elsewhere(url: str) -> str:
    return f"it redirects to {redact(url)}, which is not followed; if that is right, put it into the url"


class _Hearing:
    """From packets to blocks of audio at their positions."""

    def __init__(self, track: AudioTrack, coding: Coding, *, patience: float, shown: str) -> None:
        self._track, self._patience, self._shown = track, patience, shown
        self._told = False
        self._unpack, self._decoder = unpacker(track), PacketDecoder(coding)
        self._continuity = Continuity()
        self._due = 0
        self._is_first = True
        self._heard = time.monotonic()

    def blocks(self, packet: RtpPacket) -> Iterator[Block]:
        """What can be placed now that ``packet`` has arrived."""
        arrived = time.monotonic()
        if packet.payload_type == self._track.payload_type:
            jump = self._jump(packet.timestamp)
            for coded in self._unpack(packet):
                chunk = self._decoder.feed(coded)
                self._due += round(chunk.duration * self._track.clock)
                yield from self._placed(chunk, arrived, jump)
                jump = 0.0
            self._tell()
        if arrived - self._heard > self._patience:  # packets alone are no audio
            raise MediaError(Fault.UNREADABLE, "its audio cannot be decoded")

    def _placed(self, chunk: Chunk, arrived: float, jump: float) -> Iterator[Block]:
        if len(chunk.pcm):
            self._heard = arrived
            for placed in self._continuity.feed(chunk.pcm, arrived=arrived, jump=jump):
                yield Block(placed.pcm, start=placed.start, heard_at=wall_time(placed.heard))

    def _tell(self) -> None:
        if not self._told and self._continuity.contradictions >= _CONTRADICTIONS:
            self._told = True
            _LOG.warning("timestamps contradict arrival times and are ignored: camera=%s", self._shown)

    def _jump(self, timestamp: int) -> float:
        """By how much a timestamp is later than the audio before it lets expect (s)."""
        due = timestamp if self._is_first else self._due
        self._is_first, self._due = False, timestamp
        return ticks_between(due, timestamp) / max(1, self._track.clock)
