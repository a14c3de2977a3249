"""What the daemon answers to whoever watches over it by HTTP.

The daemon's event loop answers, not the thread that was asked: where the loop hangs the answer is
that it does.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from http import HTTPStatus

from vser_stream.adapters.system.http_server import Answer, serving
from vser_stream.config.schema import HttpConfig
from vser_stream.errors import ConfigError
from vser_stream.runtime.overview import Overview
from vser_stream.runtime.watch.watchdog import Watchdog

__all__ = ["page"]

PATIENCE = 3.0
"""Longest wait for the event loop and the disk (s)."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def page(config: HttpConfig, port: int, overview: Overview, watchdog: Watchdog) -> AsyncIterator[None]:
    """Serve within the block; a port that cannot be had is told, and nothing else depends on it."""
    loop = asyncio.get_running_loop()

    async def ask(make: Callable[[], Awaitable[Answer]]) -> Answer:
        asked = asyncio.run_coroutine_threadsafe(_run(make), loop)
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            return _json({"hanging": ["event loop"]}, ok=False)

    pages = {path: partial(ask, make) for path, make in _pages(overview, watchdog).items()}
    with ExitStack() as stack:
        try:
            stack.enter_context(serving(config.host, port, pages, names=config.names))
        except ConfigError as exc:
            _log.error("metrics and health page not available: %s", exc)
        yield


def _pages(all_parts: Overview, watchdog: Watchdog) -> Mapping[str, Callable[[], Awaitable[Answer]]]:
    async def alive() -> Answer:
        return _json({"hanging": watchdog.hanging}, ok=not watchdog.hanging)

    async def ready() -> Answer:
        heard = {one.name: one.heard for one in all_parts.listeners}
        # Before the first source is opened there is none that is not heard, either.
        return _json({"sources": heard}, ok=bool(heard) and all(heard.values()))

    async def metrics() -> Answer:
        return Answer(await all_parts.text(), "text/plain; version=0.0.4; charset=utf-8")

    async def overview() -> Answer:
        return _json(
            {
                "status": await all_parts.in_words(),
                "hanging": watchdog.hanging,
                "delivery": asdict(await all_parts.counters()),
                "sources": [listener.health().model_dump(mode="json") for listener in all_parts.listeners],
            },
            ok=True,
        )

    return {"/": overview, "/healthz": alive, "/readyz": ready, "/metrics": metrics}


async def _run(make: Callable[[], Awaitable[Answer]]) -> Answer:
    return await make()


def _json(document: object, *, ok: bool) -> Answer:
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(json.dumps(document).encode() + b"\n", status=status)
