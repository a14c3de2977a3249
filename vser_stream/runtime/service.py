"""The daemon from its start to its end, as systemd and its signals see it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import NoReturn

from vser_stream.adapters.system.systemd import ServiceManager
from vser_stream.config.loader import load
from vser_stream.config.schema import HttpConfig
from vser_stream.errors import ConfigError, OutageError, OutboxError, VserError
from vser_stream.runtime.agent import Agent
from vser_stream.runtime.control import control
from vser_stream.runtime.delivery.disk_thread import Disk
from vser_stream.runtime.overview import Overview
from vser_stream.runtime.watch.watchdog import Watchdog

__all__ = ["Service"]

END_WITHIN = 4.5
"""Time from the signal to end to the end, whatever hangs (s)."""

READ_WITHIN = 5.0
"""Longest time to read the configuration again (s)."""

TELL_EVERY = 0.5
"""Between two looks at how all stands (s)."""

_log = logging.getLogger(__name__)


class Service:
    """Runs the agent of one configuration file.

    Args:
        config: Read at the start and at each SIGHUP.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._manager = ServiceManager()
        self._agent: Agent | None = None
        self._files = Disk("configuration")
        self._hangup = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._words = "opening the sources"
        self._telling: asyncio.Task[NoReturn] | None = None

    async def run(self) -> None:
        """Listen until a signal, or until every recording has been played.

        Raises:
            VserError: It cannot start; systemd has been told why.
        """
        # Before anything that takes time: SIGHUP would end a process that does not expect it.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        self._manager.status("loading and verifying models")
        try:
            settings = load(self._config)
            self._agent = agent = Agent(settings)
            await agent.claim()
            await agent.rehearse()
        except VserError as exc:
            self._manager.status(f"cannot start: {exc}")
            raise
        overview = Overview(agent.parts)
        watchdog = Watchdog(
            agent.parts.scorer,
            agent.parts.roster,
            longest=self._manager.watchdog,
            on_alive=self._manager.alive,
        )
        watching = asyncio.create_task(self._watch(watchdog), name="watchdog")
        reloading = asyncio.create_task(self._reload_when_asked(agent), name="reload")
        self._telling = asyncio.create_task(self._tell(overview), name="status")
        try:
            async with (
                _page(settings.http, overview, watchdog),
                control(agent.parts, reload=partial(self._reload, agent)),
            ):
                await agent.run()
        finally:
            watching.cancel()
            reloading.cancel()
            self._telling.cancel()

    async def _watch(self, watchdog: Watchdog) -> None:
        self._manager.ready(self._words)
        await watchdog.run()

    async def _tell(self, overview: Overview) -> NoReturn:
        """Tell ``systemctl status`` how all stands as soon as that changes; never ends."""
        while True:
            if (words := await overview.in_words()) != self._words:
                self._words = words
                self._manager.status(words)
            await asyncio.sleep(TELL_EVERY)

    def _stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._manager.stopping()
        # A camera, a disk or a library may hang in a thread that nobody can end.
        cut = threading.Timer(END_WITHIN, _cut)
        cut.daemon = True
        cut.start()
        if self._agent is not None:
            self._agent.stop()

    async def _reload_when_asked(self, agent: Agent) -> NoReturn:
        """One reload after the other, each as long as the disk takes; listening goes on meanwhile."""
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            await self._reload(agent)

    async def _reload(self, agent: Agent) -> str | None:
        """Read the configuration again; return why it cannot be used, if it cannot."""
        refused = None
        async with self._reloading:
            self._manager.reloading()
            try:
                settings = await self._files.run(partial(load, self._config), within=READ_WITHIN)
                await self._files.run(agent.read_rules_again, within=READ_WITHIN)
                agent.reload(settings)
            except ConfigError as exc:
                refused = f"invalid configuration: {exc}"
            except OutboxError as exc:
                refused = str(exc)
            if refused:
                agent.keep_configuration(refused)
            self._manager.ready(self._words)
        return refused


def _cut() -> None:
    _log.error("shutdown timed out, forcing exit; undelivered messages are stored")
    with contextlib.suppress(OSError):
        logging.shutdown()
    os._exit(OutageError.exit_code)


def _page(config: HttpConfig, overview: Overview, watchdog: Watchdog) -> AbstractAsyncContextManager[None]:
    """The libraries of a web server, 4 MiB of memory, are loaded only where there is one."""
    if config.port is None:
        return contextlib.nullcontext()
    from vser_stream.runtime.http_api import page  # noqa: PLC0415 - see above

    return page(config, config.port, overview, watchdog)
