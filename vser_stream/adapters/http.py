"""A small web server for whoever watches over the daemon: it reads, and changes nothing.

One thread serves all callers and can cost the daemon no more than that: few connections, of which the
oldest that still asks or reads goes when another comes; one deadline for each; one question to the
daemon at a time, whose answer all who ask the same get. Whoever drips or floods is in nobody's way.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

import h11

from vser_stream.errors import ConfigError

__all__ = ["Answer", "serving"]

SLOW = 5.0
"""From the connection to the end of the answer; what takes longer is cut off (s)."""

_MOST = 16
"""Open connections; a monitor or two ask every few seconds."""

_QUEUE = 128
"""Connections the kernel holds until they are accepted: one too many is told nothing for a second."""

_HEAD = 8 * 2**10
"""Longest request: a browser with its cookies needs a tenth (bytes)."""

_PACE = 0.02
"""Between two questions to the daemon, which has better to do (s)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """To a request."""

    body: bytes
    content_type: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK


Pages = Mapping[str, Callable[[], Awaitable[Answer]]]


@contextmanager
def serving(host: str, port: int, pages: Pages, *, names: Collection[str] = ()) -> Iterator[None]:
    """Answer GET requests within the block, in a thread with an event loop of its own.

    Args:
        host: Address to listen on.
        port: TCP port.
        pages: What to say to each path; called in the other loop.
        names: Under which it may be asked, beside those of this box.

    Raises:
        ConfigError: The port cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_MOST)
    except OSError as exc:
        raise ConfigError(
            f"http: no server at {host}:{port} ({exc.strerror}); choose another [http] port"
        ) from exc
    server = _Server(pages, {host, *names})
    thread = threading.Thread(target=server.run, args=(listening,), name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join(SLOW)


class _Server:
    def __init__(self, pages: Pages, names: Collection[str]) -> None:
        self._pages = pages
        self._names = {"localhost", *_own_names(), *(name.lower() for name in names)}
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._stopping, self._turn = asyncio.Event(), asyncio.Lock()
        self._idle: dict[asyncio.StreamWriter, None] = {}
        """Connections that are asking, or reading their answer: the oldest first."""

        self._answering: set[asyncio.StreamWriter] = set()
        self._asked: dict[str, asyncio.Task[Answer]] = {}

    def run(self, listening: socket.socket) -> None:
        with self._runner:
            self._runner.run(self._serve(listening))

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._connected, sock=listening, backlog=_MOST)
        listening.listen(_QUEUE)  # so many are accepted at once, so many may wait for it
        await self._stopping.wait()
        server.close()
        for writer in (*self._idle, *self._answering):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._room():
                return
            self._idle[writer] = None
            async with asyncio.timeout(SLOW):
                await self._respond(reader, writer)
        except (OSError, TimeoutError) as exc:
            _log.debug("http: no answer was given: error=%r", exc)
        finally:
            self._idle.pop(writer, None)
            writer.transport.abort()

    def _room(self) -> bool:
        """Whether there is a place for one more; who drips makes place, who waits for an answer need not."""
        if len(self._idle) + len(self._answering) < _MOST:
            return True
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        del self._idle[oldest]
        oldest.transport.abort()
        return True

    @contextmanager
    def _undisturbed(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._idle.pop(writer, None)
        self._answering.add(writer)
        try:
            yield
        finally:
            self._answering.discard(writer)
            self._idle[writer] = None

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire, request = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD), None
        try:
            request = await _request(reader, wire)
            if request is None:
                return
            with self._undisturbed(writer):
                found = await self._found(request)
        except h11.RemoteProtocolError as exc:
            if wire.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
                return
            found = _error(HTTPStatus(exc.error_status_hint))
        writer.transport.set_write_buffer_limits(0)  # so that drain waits for all of it
        writer.write(_head(wire, found) + (b"" if request and request.method == b"HEAD" else found.body))
        await writer.drain()
        writer.write_eof()
        # Whoever still sends would have its answer taken away by a reset.
        while await reader.read(_HEAD):
            pass

    async def _found(self, request: h11.Request) -> Answer:
        if not self._is_called_so(request):
            return _error(HTTPStatus.MISDIRECTED_REQUEST)
        if request.method not in {b"GET", b"HEAD"}:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        path = request.target.partition(b"?")[0].decode("ascii")
        if path not in self._pages:
            return _error(HTTPStatus.NOT_FOUND)
        if path not in self._asked:
            self._asked[path] = asyncio.create_task(self._ask(path))
        # Whoever loses patience takes the answer from nobody else.
        return await asyncio.shield(self._asked[path])

    async def _ask(self, path: str) -> Answer:
        try:
            async with self._turn:
                await asyncio.sleep(_PACE)
                return await self._pages[path]()
        finally:
            del self._asked[path]

    def _is_called_so(self, request: h11.Request) -> bool:
        """Whether it is asked under a name of its own: a page of a stranger's may lead its name here."""
        host = next((value.decode("latin-1") for name, value in request.headers if name == b"host"), None)
        if host is None:  # HTTP/1.0, and no browser
            return True
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


async def _request(reader: asyncio.StreamReader, wire: h11.Connection) -> h11.Request | None:
    """Read the head of a request; None if there comes none.

    Raises:
        h11.RemoteProtocolError: It is no HTTP, or too long.
    """
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await reader.read(_HEAD))
    return event if isinstance(event, h11.Request) else None


def _head(wire: h11.Connection, answer: Answer) -> bytes:
    headers = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    return wire.send(h11.Response(status_code=answer.status, headers=list(headers.items()))) or b""


def _error(status: HTTPStatus) -> Answer:
    unknown = status is HTTPStatus.MISDIRECTED_REQUEST
    words = "; ask by the IP address, or put this name into [http] names" if unknown else ""
    return Answer(f"{status.value} {status.phrase}{words}\n".encode(), "text/plain; charset=utf-8", status)


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name.partition('.')[0]}.local"}
