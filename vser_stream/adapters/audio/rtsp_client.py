"""An RTSP 1.0 client (RFC 2326) for one audio track.

Our own, for a camera is a peer that may lie: FFmpeg's follows any redirect to any host with user and
password, sets up every track it is offered (loudspeakers too), waits for those that never send, reads a
description without an end, and drops or reorders by timestamps. Here nothing is believed beyond a bound, no
other host is ever spoken to, and the password goes to the camera alone.
"""

from __future__ import annotations

import contextlib
import random
import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from vser_stream.adapters.audio.ffmpeg import Fault, MediaError
from vser_stream.adapters.audio.rtsp_login import Login
from vser_stream.config.schema import Transport
from vser_stream.core.audio.pace import Pace
from vser_stream.core.rtp.packets import RtpPacket, Sequencer, parsed
from vser_stream.core.rtp.sdp import AudioTrack, session_control

__all__ = ["Place", "RtspClient"]

_HEAD = 16_384
"""Longest head of an answer (bytes)."""

_BODY = 65_536
"""Longest session description; those of cameras have 1 to 3 kB (bytes)."""

_PACKET = 0.001
"""What one packet counts against the pace: no audio has 1,000 a second (s)."""

_SLICE = 0.1
"""Longest wait between two looks at the stop flag (s)."""

_SESSION = 60.0
"""Time after which a server may forget a client that says nothing (RFC 2326 12.37) (s)."""

_PORTS = 20
"""Attempts to find two neighbouring ports for RTP and RTCP."""

_RTCP_GOODBYE = 203
_REPORT = bytes.fromhex("80c90001 76736572 81ca0003 76736572 0104 76736572 0000")
"""An empty receiver report and a name (RFC 3550 6.4.2, 6.5): some cameras stop without any."""

_BLANK = re.compile(rb"\r?\n\r?\n")
"""Ends a head; some cameras end their lines with a line feed alone."""

_WORDLESS = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Place | None:
        """Of a whole URL; None if it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme not in {"rtsp", "rtsps"} or not parts.hostname or port == 0:
            return None
        default = 322 if parts.scheme == "rtsps" else 554
        return cls(parts.scheme, parts.hostname, port or default)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    words: str
    headers: Mapping[str, tuple[str, ...]]
    body: str

    def header(self, name: str) -> str:
        return next(iter(self.headers.get(name, ())), "")


@dataclass(frozen=True, slots=True)
class _Frame:
    channel: int
    data: bytes


class RtspClient:
    """One connection; use it in one thread, and close it there.

    Args:
        place: Where to connect.
        url: Of the stream, without user and password.
        login: Given only if the camera asks for it.
        transport: Of the audio.
        timeout: By when the stream must be open, counted from when the host's name is known (s).

    Raises:
        MediaError: Nobody answers there.
    """

    def __init__(self, place: Place, url: str, *, login: Login, transport: Transport, timeout: float) -> None:
        self._url = quote(url, safe="%/:?#[]@!$&'()*+,;=-._~")
        self._base = self._aggregate = self._url
        self._login, self._transport = login, transport
        self._held = bytearray()
        self._sequence = 0
        self._session = ""
        self._keep_alive_every = _SESSION / 2
        self._keep_alive_with = "OPTIONS"
        self._channel = 0
        self._datagrams: tuple[socket.socket, socket.socket] | None = None
        self._reports_to: tuple[str, int] | None = None
        self._pace = Pace()
        addresses = _addresses(place)
        self._deadline = time.monotonic() + timeout
        self._socket = self._connected(place, addresses)

    def close(self) -> None:
        """Say goodbye, and hang up."""
        with contextlib.suppress(OSError, MediaError):
            if self._session:
                self._socket.settimeout(_SLICE)
                self._socket.sendall(self._request("TEARDOWN", self._aggregate, {}))
        for one in (self._socket, *(self._datagrams or ())):
            one.close()

    def describe(self) -> str:
        """Log in; return the session description.

        Raises:
            MediaError: It is refused, sent on elsewhere, or cannot be read.
        """
        if "GET_PARAMETER" in self._ask("OPTIONS", self._url).header("public").upper():
            self._keep_alive_with = "GET_PARAMETER"
        reply = self._ask("DESCRIBE", self._url, Accept="application/sdp")
        base = reply.header("content-base") or reply.header("content-location") or self._url
        self._base = urljoin(self._url, base) if Place.of(urljoin(self._url, base)) else self._url
        self._aggregate = self._absolute(session_control(reply.body))
        return reply.body

    def set_up(self, track: AudioTrack) -> None:
        """Choose the track that will be played.

        Raises:
            MediaError: It is refused, or does not come this way.
        """
        if self._transport == "udp":
            self._datagrams = _neighbours(self._socket)
            ports = "-".join(str(one.getsockname()[1]) for one in self._datagrams)
            wanted = f"RTP/AVP;unicast;client_port={ports}"
        else:
            wanted = "RTP/AVP/TCP;unicast;interleaved=0-1"
        reply = self._ask("SETUP", self._absolute(track.control), Transport=wanted)
        session, _, rest = reply.header("session").partition(";")
        self._session = session.strip()
        if timeout := re.search(r"timeout *= *(\d{1,6})", rest):
            self._keep_alive_every = min(max(int(timeout[1]) / 2, 1.0), _SESSION)
        self._take_transport(reply.header("transport"))

    def play(self) -> None:
        """Let it begin.

        Raises:
            MediaError: It is refused.
        """
        self._ask("PLAY", self._aggregate, Range="npt=0.000-")

    def packets(self, stopped: Callable[[], bool], *, patience: float) -> Iterator[RtpPacket]:
        """Yield what arrives, in order, until the camera ends it or ``stopped()``.

        Args:
            stopped: Looked at several times a second.
            patience: Longest time without a packet (s).

        Raises:
            MediaError: Nothing arrives, or too much, or the line broke.
        """
        heard = told = time.monotonic()
        sequencer = Sequencer()
        while not stopped():
            now = time.monotonic()
            if now - heard > patience:
                raise MediaError(Fault.TIMED_OUT, f"no audio for {patience:g} s")
            if now - told > self._keep_alive_every:
                told = now
                self._keep_alive()
            for is_audio, data in self._arrived(now + _SLICE):
                if not is_audio and _says_goodbye(data):
                    return
                if is_audio and (packet := parsed(data)) is not None:
                    heard = time.monotonic()
                    yield from [packet] if self._datagrams is None else sequencer.feed(packet)

    def _arrived(self, until: float) -> list[tuple[bool, bytes]]:
        """What has come by a monotonic time (s): whether it is RTP, and the packet."""
        if self._datagrams is not None:
            if self._control_waits(until):
                self._heed(self._item(time.monotonic() + _SLICE / 10))
            return self._received_datagrams()
        item = self._item(until)
        if not self._pace.allows(0.0 if item is None else _PACKET, time.monotonic()):
            raise MediaError(Fault.OTHER, "it sends far more packets than audio needs")
        self._heed(item)
        if isinstance(item, _Frame) and item.channel in {self._channel, self._channel + 1}:
            return [(item.channel == self._channel, item.data)]
        return []

    def _heed(self, item: _Frame | _Reply | None) -> None:
        """A login that has expired is asked for anew."""
        if not isinstance(item, _Reply) or item.status != 401:  # noqa: PLR2004 - RFC 2326
            return
        if self._login.take(item.headers.get("www-authenticate", ())):
            self._keep_alive()

    # -- the dialogue

    def _ask(self, method: str, url: str, **headers: str) -> _Reply:
        """Send a request, with a login if it is asked for, and wait for the answer.

        Raises:
            MediaError: The answer is no yes.
        """
        reply = self._exchange(method, url, headers)
        if reply.status == 401 and self._login.take(reply.headers.get("www-authenticate", ())):  # noqa: PLR2004 - RFC 2326
            reply = self._exchange(method, url, headers)
        if reply.status == 200 or (method == "OPTIONS" and reply.status not in {401, 403}):  # noqa: PLR2004 - RFC 2326
            return reply
        raise _refusal(reply, self._url)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str]) -> _Reply:
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(self._request(method, url, headers))
        except TimeoutError as exc:
            raise MediaError(Fault.TIMED_OUT, "it does not read what is sent to it") from exc
        except OSError as exc:
            raise MediaError(Fault.CLOSED, exc.strerror or "connection lost") from exc
        while True:
            item = self._item(self._deadline)
            if item is None:
                raise MediaError(Fault.TIMED_OUT, "no answer")
            if isinstance(item, _Reply):  # whatever its CSeq: there is one question, and cameras miscount
                return item
            if not self._pace.allows(_PACKET, time.monotonic()):
                raise MediaError(Fault.OTHER, "it sends packets instead of an answer")

    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        self._sequence += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._sequence}", "User-Agent: vser-stream"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self._session:
            lines.append(f"Session: {self._session}")
        if authorization := self._login.answer(method, url):
            lines.append(f"Authorization: {authorization}")
        return "\r\n".join([*lines, "", ""]).encode()

    def _keep_alive(self) -> None:
        with contextlib.suppress(OSError):  # reading tells
            self._socket.settimeout(_SLICE)
            self._socket.sendall(self._request(self._keep_alive_with, self._aggregate, {}))
            if self._datagrams is None:
                report = bytes([0x24, self._channel + 1]) + len(_REPORT).to_bytes(2) + _REPORT
                self._socket.sendall(report)
            elif self._reports_to is not None:
                self._datagrams[1].sendto(_REPORT, self._reports_to)

    # -- reading

    def _item(self, until: float) -> _Frame | _Reply | None:
        """The next packet or answer; None if none has come by a monotonic time (s).

        Raises:
            MediaError: The line broke, or what comes is no RTSP.
        """
        while (item := self._taken()) is None:
            left = until - time.monotonic()
            if left <= 0:
                return None
            try:
                self._socket.settimeout(left)
                data = self._socket.recv(_BODY)
            except TimeoutError:
                return None
            except OSError as exc:
                raise MediaError(Fault.CLOSED, exc.strerror or "connection lost") from exc
            if not data:
                raise MediaError(Fault.CLOSED, "closed")
            self._held += data
        return item

    def _taken(self) -> _Frame | _Reply | None:
        """The first thing of what is held, if it is all there."""
        held = self._held
        while held.startswith((b"\r", b"\n")):
            del held[:1]
        if held[:1] == b"$":  # interleaved: channel, 16-bit length (RFC 2326 10.12)
            end = 4 + int.from_bytes(held[2:4])
            if len(held) < max(4, end):
                return None
            frame = _Frame(held[1], bytes(held[4:end]))
            del held[:end]
            return frame
        if held.startswith(b"RTSP/") or b"RTSP/".startswith(held):
            return self._taken_reply()
        return self._taken() if self._skip() else None

    def _taken_reply(self) -> _Reply | None:
        held = self._held
        blank = _BLANK.search(held, 0, _HEAD)
        if blank is None:
            if len(held) > _HEAD:
                raise MediaError(Fault.OTHER, "its answer never ends")
            return None
        first, *lines = held[: blank.start()].decode("utf-8", "replace").splitlines()
        headers = _headers(lines)
        length = next(iter(headers.get("content-length", ())), "0")
        size = int(length) if re.fullmatch(r"[0-9]{1,9}", length) else 0
        if size > _BODY:
            raise MediaError(Fault.OTHER, f"its description has {size} bytes")
        start = blank.end()
        if len(held) < start + size:
            return None
        body = bytes(held[start : start + size]).decode("utf-8", "replace")
        del held[: start + size]
        _, status, words = [*first.split(" ", 2), "", ""][:3]
        return _Reply(int(status) if re.fullmatch("[0-9]{3}", status) else 0, words, headers, body)

    def _skip(self) -> bool:
        """Pass over what is neither an answer nor a packet; whether something may follow."""
        if not self._session:
            line = bytes(self._held[:40]).decode("ascii", "replace").split("\r")[0]
            raise MediaError(Fault.NOT_RTSP, f"it answers {_WORDLESS.sub('?', line)!r}")
        found = [at for at in (self._held.find(b"$", 1), self._held.find(b"RTSP/", 1)) if at > 0]
        del self._held[: min(found, default=len(self._held))]
        return bool(found)

    # -- the line

    def _connected(self, place: Place, addresses: list[str]) -> socket.socket:
        line = self._line_to(place, addresses)
        if place.scheme == "rtsp":
            return line
        try:
            return _uncertified().wrap_socket(line, server_hostname=place.host)
        except OSError as exc:
            line.close()
            raise MediaError(Fault.OTHER, f"no TLS ({exc.strerror or type(exc).__name__})") from exc

    def _line_to(self, place: Place, addresses: list[str]) -> socket.socket:
        failure: OSError = TimeoutError()
        for address in addresses:
            try:
                return socket.create_connection((address, place.port), timeout=self._left())
            except OSError as exc:
                failure = exc
        if isinstance(failure, ConnectionRefusedError):
            raise MediaError(Fault.REFUSED, "refused") from failure
        if isinstance(failure, TimeoutError):
            raise MediaError(Fault.TIMED_OUT, "cannot be reached") from failure
        raise MediaError(Fault.OTHER, failure.strerror or "cannot be reached") from failure

    def _left(self) -> float:
        return max(0.01, self._deadline - time.monotonic())

    def _absolute(self, control: str) -> str:
        """The URL of a track or session; whatever it says, it is asked for on this connection."""
        if control in {"", "*"}:
            return self._base
        if Place.of(control):
            return control
        return f"{self._base}{'' if self._base.endswith('/') else '/'}{control}"  # as cameras mean it

    def _take_transport(self, said: str) -> None:
        if self._datagrams is None:
            if said and "TCP" not in said.upper():
                raise MediaError(Fault.TRANSPORT, "it would send UDP")
            if channel := re.search(r"interleaved *= *(\d{1,3})", said):
                self._channel = min(int(channel[1]), 254)
            return
        host = self._socket.getpeername()[0]
        if ports := re.search(r"server_port *= *(\d{1,5})(?:-(\d{1,5}))?", said):
            first = int(ports[1])
            for one, port in zip(self._datagrams, (first, int(ports[2] or first + 1)), strict=True):
                with contextlib.suppress(OSError, OverflowError):
                    one.sendto(_REPORT, (host, port))  # opens the way through a firewall or NAT
                    self._reports_to = (host, port)

    def _control_waits(self, until: float) -> bool:
        """Wait until a packet or something on the control line comes; whether it is the latter."""
        poll = select.poll()  # not select(): there may be more than 1,024 open files
        for line in (*(self._datagrams or ()), self._socket):
            poll.register(line, select.POLLIN)
        ready = poll.poll(1000 * max(0.0, until - time.monotonic()))
        return self._socket.fileno() in {number for number, _ in ready}

    def _received_datagrams(self) -> list[tuple[bool, bytes]]:
        host, arrived = self._socket.getpeername()[0], []
        for is_audio, one in zip((True, False), self._datagrams or (), strict=False):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                data, sender = one.recvfrom(_BODY, socket.MSG_DONTWAIT)
                if not self._pace.allows(_PACKET, time.monotonic()):
                    raise MediaError(Fault.OTHER, "it sends far more packets than audio needs")
                if sender[0] == host:
                    arrived.append((is_audio, data))
        return arrived


def _addresses(place: Place) -> list[str]:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise MediaError(Fault.NO_HOST, "no such host") from exc
    return [str(address[0]) for *_, address in found]


def _headers(lines: list[str]) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def _refusal(reply: _Reply, url: str) -> MediaError:
    words = f"{reply.status} {_WORDLESS.sub('?', reply.words)[:40]}".strip()
    match reply.status:
        case 401 | 403:
            return MediaError(Fault.UNAUTHORIZED, words)
        case 404:
            return MediaError(Fault.NOT_FOUND, words)
        case 461:
            return MediaError(Fault.TRANSPORT, words)
        case status if 300 <= status < 400:  # noqa: PLR2004 - RFC 2326 11.3
            return MediaError(Fault.SENT_ON, urljoin(url, reply.header("location")))
        case status if 400 <= status < 500:  # noqa: PLR2004 - RFC 2326 11.3
            return MediaError(Fault.REJECTED, words)
        case _:
            return MediaError(Fault.OTHER, f"it answers {words}")


def _says_goodbye(report: bytes) -> bool:
    """Whether an RTCP packet ends the stream (RFC 3550 6.6)."""
    at = 0
    while len(report) >= at + 4:
        if report[at + 1] == _RTCP_GOODBYE:
            return True
        at += 4 + 4 * int.from_bytes(report[at + 2 : at + 4])
    return False


def _neighbours(line: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Two datagram sockets on an even port and the next one (RFC 3550 11).

    Raises:
        MediaError: None are free.
    """
    host = line.getsockname()[0]
    for _ in range(_PORTS):
        first, second = (socket.socket(line.family, socket.SOCK_DGRAM) for _ in range(2))
        port = random.randrange(20_000, 60_000, 2)  # noqa: S311 - no secret
        try:
            first.bind((host, port))
            second.bind((host, port + 1))
        except OSError:
            first.close()
            second.close()
            continue
        return first, second
    raise MediaError(Fault.OTHER, "no free UDP ports")


def _uncertified() -> ssl.SSLContext:
    """TLS as cameras have it: encrypted, under a certificate that nobody vouches for."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
