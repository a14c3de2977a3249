"""The daemon from its start to its end, as systemd and its signals see it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from pathlib import Path

from vser_stream.adapters.systemd import ServiceManager
from vser_stream.config import load
from vser_stream.errors import ConfigError, OutageError, VserError
from vser_stream.runtime.agent import Agent
from vser_stream.runtime.control import control
from vser_stream.runtime.page import page
from vser_stream.runtime.watchdog import Watchdog

__all__ = ["Service"]

END_WITHIN = 4.5
"""Time from the signal to end to the end, whatever hangs (s)."""

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
        self._ready = False
        self._reload_after_start = False
        self._words = "starting to listen"

    async def run(self) -> None:
        """Listen until a signal, or until every recording has been played.

        Raises:
            VserError: It cannot start; systemd has been told why.
        """
        # Before anything that takes time: SIGHUP would end a process that does not expect it.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._manager.status("loading and verifying models")
        try:
            settings = load(self._config)
            self._agent = agent = Agent(settings)
            await agent.rehearse()
        except VserError as exc:
            self._manager.status(f"cannot start: {exc}")
            raise
        watchdog = Watchdog(
            agent.scorer, lambda: agent.listeners, longest=self._manager.watchdog, on_alive=self._alive
        )
        watching = asyncio.create_task(self._watch(watchdog), name="watchdog")
        try:
            async with page(settings.http, agent, watchdog), control(agent):
                await agent.run()
        finally:
            watching.cancel()

    async def _watch(self, watchdog: Watchdog) -> None:
        self._manager.ready(self._words)
        self._ready = True
        if self._reload_after_start:
            self._reload()
        await watchdog.run()

    async def _alive(self) -> None:
        """Earned."""
        self._manager.alive()
        if self._agent is None:
            return
        if (words := await self._agent.in_words()) != self._words:
            self._words = words
            self._manager.status(words)

    def _stop(self) -> None:
        self._manager.stopping()
        # A camera, a disk or a library may hang in a thread that nobody can end.
        cut = threading.Timer(END_WITHIN, _cut)
        cut.daemon = True
        cut.start()
        if self._agent is not None:
            self._agent.stop()

    def _reload(self) -> None:
        if self._agent is None or not self._ready:
            self._reload_after_start = True
            return
        self._manager.reloading()
        try:
            self._agent.reload(load(self._config))
        except ConfigError as exc:
            self._agent.keep_configuration(str(exc))
        self._manager.ready(self._words)


def _cut() -> None:
    _log.error("something hangs, so the end is cut short; what waits is on the disk")
    with contextlib.suppress(OSError):
        logging.shutdown()
    os._exit(OutageError.exit_code)
