"""A small web server for whoever watches over the daemon: it reads, and changes nothing.

Starlette finds the page and uvicorn speaks HTTP, in a thread with an event loop of its own: whatever
callers do, the daemon's loop, and with it an alarm, waits for none of them, and where that loop hangs there
is still somebody to say so.

uvicorn lets callers take all the time they want for their request, and turns away whoever comes once there
are many. So here each connection has one deadline, and the oldest that still asks or reads goes when
another comes. The daemon is asked one question at a time, whose answer all who ask the same get.
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

import uvicorn
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

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

_HEADERS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Connection", "close")]


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
        listening = socket.create_server((host, port), family=family, backlog=_QUEUE)
    except OSError as exc:
        raise ConfigError(
            f"http: no server at {host}:{port} ({exc.strerror}); choose another [http] port"
        ) from exc
    server = _server(_Door(_router(pages), {host, *names}))
    thread = threading.Thread(target=server.run, args=([listening],), name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True  # looked at ten times a second
        thread.join(SLOW)


def _server(app: ASGIApp) -> uvicorn.Server:
    """It logs what fails, and neither callers nor their mistakes: a scan of ports would fill the journal."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            interface="asgi3",
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            workers=1,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            headers=_HEADERS,
            backlog=_QUEUE,
            h11_max_incomplete_event_size=_HEAD,
        )
    )


class _Connection(H11Protocol):
    """Of one caller: cut off at its deadline, or before it when too many ask or read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent
        super().connection_made(transport)
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(SLOW, transport.abort)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override] # its parent hangs up
        """Whoever says that it has nothing more to ask may still wait for its answer."""
        return self._waits

    def shutdown(self) -> None:
        """The daemon ends."""
        self.transport.abort()

    def _make_room(self) -> None:
        """Who drips makes place for one more, who waits for the daemon's answer need not."""
        others = [one for one in self.connections if not one.transport.is_closing()]
        if len(others) <= _MOST:
            return
        idle = [one for one in others if isinstance(one, _Connection) and not one._waits and one is not self]  # noqa: SLF001 - its own kind
        min(idle, key=lambda one: one._began, default=self).transport.abort()  # noqa: SLF001 - as above

    @property
    def _waits(self) -> bool:
        return self.cycle is not None and not self.cycle.response_started


class _Door:
    """Lets in whoever asks under a name of this box: a page of a stranger's may lead its own name here."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = {"localhost", *_own_names(), *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host")
        app = self._app if host is None or self._is_ours(host) else _MISDIRECTED  # None: no browser's
        with contextlib.suppress(asyncio.CancelledError):  # the daemon ends, and the connection with it
            await app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


_MISDIRECTED = PlainTextResponse(
    "421 Misdirected Request; use the IP address, or add this name to [http] names\n",
    HTTPStatus.MISDIRECTED_REQUEST,
)


def _router(pages: Pages) -> Router:
    turn = asyncio.Lock()
    routes = [Route(path, _Question(ask, turn).answer) for path, ask in pages.items()]
    return Router(routes, redirect_slashes=False)


class _Question:
    """To the daemon: no two at a time, and who asks the same meanwhile gets the same answer."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]], turn: asyncio.Lock) -> None:
        self._ask, self._turn = ask, turn
        self._asked: asyncio.Task[Answer] | None = None

    async def answer(self, _: Request) -> Response:
        if self._asked is None:
            self._asked = asyncio.create_task(self._answered())
        # Whoever loses patience takes the answer from nobody else.
        answer = await asyncio.shield(self._asked)
        return Response(answer.body, answer.status, media_type=answer.content_type)

    async def _answered(self) -> Answer:
        try:
            async with self._turn:
                await asyncio.sleep(_PACE)
                return await self._ask()
        finally:
            self._asked = None


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name.partition('.')[0]}.local"}
