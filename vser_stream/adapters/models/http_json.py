"""One question to a JSON server, with a time for all of it and a limit to how far it may go.

h11 speaks HTTP; the socket is ours. Clients such as httpx and urllib3 limit the time of each read, never that
of a whole exchange, which a server that drips stretches for ever, and connect to whatever a name leads to.
Both can be built in at their seams (tried with httpcore2, the wire of httpx: a network backend and a stream
of our own), but that is more code than there is here, and two more packages, for the same promises.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import h11

from vser_stream.adapters.system.tls import distrust, trusting
from vser_stream.config.schema import Egress
from vser_stream.errors import ConfigError, ReasonerError
from vser_stream.files import first_line

__all__ = ["JsonServer", "ServerAddress", "reaches"]

_MOST = 2**20
"""Longest answer that is read (bytes)."""

_HEADERS = 16 * 2**10
"""Longest head of an answer, and of a chunk of it (bytes)."""

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

_LAN = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
"""Private networks (RFC 1918, RFC 4193). Link-local addresses are none: a cloud keeps its keys at one."""

_METADATA = ipaddress.ip_address("fd00:ec2::254")
"""Where Amazon keeps them under IPv6, private though it looks."""

_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is and how to talk to it.

    Args:
        url: Up to and with ``/v1``.
        model: Its name there.
        egress: How far away it may be.
        key_file: Its first line is sent as a bearer token and never shown.
    """

    url: str
    model: str = "default"
    egress: Egress = "none"
    key_file: Path | None = None

    def key(self) -> str | None:
        """Read the key; never shown.

        Raises:
            ConfigError: The file cannot be read, or holds what no HTTP header may.
        """
        if self.key_file is None:
            return None
        try:
            key = first_line(self.key_file).strip()
        except OSError as exc:
            raise ConfigError(
                f"{self.key_file}: the server's key cannot be read ({exc.strerror}); check api_key_file"
            ) from exc
        if not key.isascii():
            raise ConfigError(f"{self.key_file}: the server's key holds more than ASCII; check api_key_file")
        return key


class JsonServer:
    """Asked one question at a time over HTTP; redirects are not followed.

    Args:
        address: Of the server.

    Raises:
        ConfigError: It is farther away than allowed, or the key cannot be read.
    """

    def __init__(self, address: ServerAddress) -> None:
        try:
            parts = urlsplit(address.url)
            port = parts.port
        except ValueError as exc:
            raise ConfigError("reasoner url: no address; give http(s)://HOST:PORT/v1") from exc
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
            raise ConfigError(
                f"reasoner url {parts.hostname!r}: give http(s)://HOST:PORT/v1; a key goes to api_key_file"
            )
        self.host = parts.hostname
        self._tls = trusting() if parts.scheme == "https" else None
        self._port = port or (443 if self._tls else 80)
        self._path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        self._egress = address.egress
        self._key = address.key()
        self._sock: socket.socket | None = None
        if not self._may_be_near_enough:
            raise ConfigError(self._too_far)

    @property
    def _may_be_near_enough(self) -> bool:
        """As far as can be told without asking a name server: that would be one packet too many."""
        try:
            return reaches(self.host, self._egress)
        except ValueError:  # a name
            return self._egress != "none" or self.host == "localhost"

    @property
    def _too_far(self) -> str:
        return f'reasoner at {self.host}: is outside what egress = "{self._egress}" allows; see [reasoner]'

    def post(self, path: str, body: Mapping[str, object], *, within: float) -> Any:
        """Return the JSON document of the answer.

        Raises:
            ConfigError: The server is too far away, or refuses the key.
            ReasonerError: There is no such document in time.
        """
        until = time.monotonic() + within
        try:
            with self._connected(until) as sock:
                status, data = self._exchange(sock, self._request(path, json.dumps(body).encode()), until)
        except (OSError, UnicodeError, h11.ProtocolError) as exc:  # UnicodeError: of a name that is none
            raise self._silent(exc, within) from exc
        self._check(status)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as exc:
            raise ReasonerError(
                f"the reasoner's server at {self.host} does not answer in JSON; check url"
            ) from exc

    def close(self) -> None:
        """Cut the connection, if there is one."""
        if (sock := self._sock) is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                sock.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _connected(self, until: float) -> Iterator[socket.socket]:
        """A connection to the first address that answers, encrypted where the url says so."""
        sock = self._connect(until)
        try:
            if self._tls is not None:
                sock.settimeout(_left(until))
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
            self._sock = sock
            yield sock
        finally:
            self._sock = None
            sock.close()

    def _connect(self, until: float) -> socket.socket:
        """A name may lead anywhere, and elsewhere tomorrow: no packet goes farther than is allowed."""
        found = socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM)
        near = [one for one in found if reaches(str(one[4][0]), self._egress)]
        if not near:
            raise ConfigError(self._too_far)
        for place, (family, kind, protocol, _, address) in enumerate(near, 1):
            self._sock = sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(until))
                sock.connect(address)
            except OSError:
                sock.close()
                if place == len(near):
                    raise
            else:
                return sock
        raise AssertionError("the last address was returned or raised")

    def _request(self, path: str, body: bytes) -> list[h11.Event]:
        headers = {
            "Host": f"[{self.host}]" if ":" in self.host else self.host,
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = h11.Request(method="POST", target=self._path + path, headers=list(headers.items()))
        return [request, h11.Data(data=body), h11.EndOfMessage()]

    def _exchange(self, sock: socket.socket, request: list[h11.Event], until: float) -> tuple[int, bytes]:
        """Send the request; return the status and the body of the answer."""
        wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS)
        sock.settimeout(_left(until))
        sock.sendall(b"".join(wire.send(event) or b"" for event in request))
        status, body = 0, bytearray()
        while True:
            match wire.next_event():
                case h11.NEED_DATA:
                    sock.settimeout(_left(until))  # of each read: a server that drips would never meet it
                    wire.receive_data(sock.recv(65536))
                case h11.Response(status_code=code):
                    status = code
                case h11.Data(data=data):
                    body += data
                    if len(body) > _MOST:
                        raise ReasonerError(f"the reasoner's server at {self.host} sends an endless answer")
                case h11.EndOfMessage():
                    return status, bytes(body)
                case _:
                    pass  # 100 Continue and its like

    def _check(self, status: int) -> None:
        if status in _REFUSED:
            raise ConfigError(f"the reasoner's server at {self.host} refuses the key; correct api_key_file")
        if status != HTTPStatus.OK:
            elsewhere = "; redirects are not followed, correct url" if 300 <= status < 400 else ""  # noqa: PLR2004
            raise ReasonerError(f"the reasoner's server at {self.host} answers HTTP {status}{elsewhere}")

    def _silent(self, exc: Exception, within: float) -> ReasonerError:
        who = f"the reasoner's server at {self.host}"
        if isinstance(exc, ssl.SSLCertVerificationError):
            return ReasonerError(f"{who} {distrust(exc)}")
        late = isinstance(exc, TimeoutError)
        why = f"did not answer within {within:.1f} s" if late else f"cannot be reached ({_why(exc)})"
        return ReasonerError(f"{who} {why}; check that it runs")


def reaches(address: str, egress: Egress) -> bool:
    """Whether an IP address is as near as ``egress`` asks.

    Raises:
        ValueError: It is no IP address.
    """
    ip: _IpAddress = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    private = any(ip in net for net in _LAN if net.version == ip.version) and ip != _METADATA
    return {"none": ip.is_loopback, "lan": ip.is_loopback or private, "any": True}[egress]


def _left(until: float) -> float:
    """Time that is left (s).

    Raises:
        TimeoutError: None is.
    """
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _why(exc: Exception) -> str:
    if isinstance(exc, h11.ProtocolError):
        return "it does not speak HTTP"
    return getattr(exc, "strerror", None) or type(exc).__name__
