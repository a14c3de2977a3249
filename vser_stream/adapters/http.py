"""A small web server for whoever watches over the daemon: it reads, and changes nothing."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vser_stream.errors import ConfigError

__all__ = ["Answer", "serving"]

SLOW = 5.0
"""A caller that takes longer to ask is not waited for (s)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """To a request."""

    body: bytes
    content_type: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK


@contextmanager
def serving(host: str, port: int, answer: Callable[[str], Answer | None]) -> Iterator[None]:
    """Answer GET requests within the block, each in a thread of its own.

    Args:
        host: Address to listen on.
        port: TCP port.
        answer: What to say to a path; None where nothing is.

    Raises:
        ConfigError: The port cannot be had.
    """
    try:
        server = _Server((host, port), partial(_Handler, answer=answer))
    except OSError as exc:
        raise ConfigError(
            f"http: no server at {host}:{port} ({exc.strerror}); choose another [http] port"
        ) from exc
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        _log.exception("a request was not answered")


class _Handler(BaseHTTPRequestHandler):
    timeout = SLOW
    server_version, sys_version = "vser-stream", ""

    def __init__(self, *args: Any, answer: Callable[[str], Answer | None]) -> None:
        self._answer = answer
        super().__init__(*args)

    def do_GET(self) -> None:
        found = self._answer(self.path.split("?")[0])
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(found.status)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(found.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked has gone
            self.wfile.write(found.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        _log.debug("http: " + format, *args)
