"""The way to a camera step by step, so that the one that fails can be named."""

from __future__ import annotations

import socket

from vser_stream.errors import CaptureError

__all__ = ["connects", "greets", "resolves"]

_LINE = 256
"""A status line is shorter (bytes)."""


def resolves(host: str) -> str:
    """Return the address of a host.

    Raises:
        CaptureError: It has none.
    """
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as exc:  # UnicodeError: no name can be so
        raise CaptureError(f"no such host {host!r}; correct the url, or check the name server") from exc


def connects(address: str, port: int, *, timeout: float) -> None:
    """Open a TCP connection and close it.

    Raises:
        CaptureError: Nobody answers there.
    """
    _connection(address, port, timeout).close()


def greets(address: str, port: int, *, timeout: float) -> str:
    """Ask for the options of a server, which needs no login; return its status line.

    Raises:
        CaptureError: It says nothing in time, or does not speak RTSP.
    """
    with _connection(address, port, timeout) as connection:
        request = f"OPTIONS rtsp://{address}:{port}/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: vser-stream\r\n\r\n"
        try:
            connection.sendall(request.encode())
            said = connection.recv(_LINE)
        except TimeoutError as exc:
            raise CaptureError(f"no answer within {timeout:g} s; restart the camera") from exc
        except OSError as exc:
            raise CaptureError(f"{exc.strerror}; check that this is the RTSP port") from exc
    line = said.split(b"\r\n")[0].decode(errors="replace")
    if not line.startswith("RTSP/"):
        raise CaptureError(f"it answers {line[:40]!r}; check that this is the RTSP port")
    return line


def _connection(address: str, port: int, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=timeout)
    except TimeoutError as exc:
        raise CaptureError(f"port {port}: no answer within {timeout:g} s; check the network") from exc
    except OSError as exc:
        raise CaptureError(f"port {port}: {exc.strerror}; check the port, and that the camera is on") from exc
