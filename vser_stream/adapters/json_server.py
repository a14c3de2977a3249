"""One question to a JSON server, with a time for all of it and a limit to how far it may go."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from vser_stream.errors import ConfigError, ReasonerError

__all__ = ["Egress", "JsonServer", "ServerAddress"]

Egress = Literal["none", "lan", "any"]
"""How far away a server may be: on this box, in a private network, anywhere."""

_MOST = 2**20
"""Longest answer that is read (bytes)."""

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


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
            ConfigError: The file cannot be read.
        """
        if self.key_file is None:
            return None
        try:
            return self.key_file.read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"{self.key_file}: the server's key cannot be read; check api_key_file"
            ) from exc


class JsonServer:
    """Asked one question at a time over HTTP.

    Args:
        address: Of the server.

    Raises:
        ConfigError: It is farther away than allowed, or the key cannot be read.
    """

    def __init__(self, address: ServerAddress) -> None:
        parts = urlsplit(address.url)
        try:
            self._port = parts.port
        except ValueError as exc:
            raise ConfigError(f"reasoner url: {exc}; give http(s)://HOST:PORT/v1") from exc
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise ConfigError(
                f"reasoner url {parts.hostname!r}: give http(s)://HOST:PORT/v1; a key goes to api_key_file"
            )
        self.host = parts.hostname
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._path = parts.path.rstrip("/")
        self._egress = address.egress
        self._key = address.key()
        self._sock: socket.socket | None = None
        if address.egress == "none" and self.host != "localhost" and not _is_loopback(self.host):
            raise ConfigError(self._too_far)

    @property
    def _too_far(self) -> str:
        return (
            f'reasoner at {self.host}: is farther away than egress = "{self._egress}" allows; see [reasoner]'
        )

    def post(self, path: str, body: Mapping[str, object], *, within: float) -> Any:
        """Return the JSON document of the answer.

        Raises:
            ConfigError: The server is too far away, or refuses the key.
            ReasonerError: There is no such document in time.
        """
        until = time.monotonic() + within
        connection = self._make(self.host, self._port, timeout=max(within, 0.001))
        try:
            connection.connect()
            self._check_distance(connection.sock)
            with self._cut_at(until, connection.sock):
                connection.request("POST", self._path + path, json.dumps(body), self._headers)
                response = connection.getresponse()
                data = response.read(_MOST)
        except (OSError, http.client.HTTPException) as exc:
            raise self._silent(exc, within) from exc
        finally:
            connection.close()
        if time.monotonic() >= until:
            raise self._silent(TimeoutError(), within)
        if response.status in _REFUSED:
            raise ConfigError(f"the reasoner's server at {self.host} refuses the key; correct api_key_file")
        if response.status != HTTPStatus.OK:
            raise ReasonerError(f"the reasoner's server at {self.host} answers HTTP {response.status}")
        try:
            return json.loads(data)
        except ValueError as exc:
            raise ReasonerError(f"the reasoner's server at {self.host} answers no JSON; check url") from exc

    def close(self) -> None:
        """Cut the connection, if there is one."""
        if (sock := self._sock) is not None:
            _cut(sock)

    @property
    def _headers(self) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Content-Type": "application/json"} | bearer

    @contextlib.contextmanager
    def _cut_at(self, until: float, sock: socket.socket) -> Iterator[None]:
        """The timeout of a socket is for each read: a server that drips would never meet it."""
        timer = threading.Timer(max(0.0, until - time.monotonic()), _cut, (sock,))
        timer.daemon = True
        self._sock = sock
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._sock = None

    def _silent(self, exc: Exception, within: float) -> ReasonerError:
        late = isinstance(exc, TimeoutError)
        why = f"did not answer within {within:.1f} s" if late else f"cannot be reached ({_why(exc)})"
        return ReasonerError(f"the reasoner's server at {self.host} {why}; check that it runs")

    def _check_distance(self, sock: socket.socket) -> None:
        """A name may lead anywhere, and elsewhere tomorrow: only the other end counts."""
        peer = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
        near = {"none": peer.is_loopback, "lan": peer.is_private or peer.is_loopback, "any": True}
        if not near[self._egress]:
            raise ConfigError(self._too_far)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        sock.shutdown(socket.SHUT_RDWR)


def _why(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or type(exc).__name__
