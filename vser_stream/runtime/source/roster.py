"""Which sources are monitored: they come and go one by one, and none disturbs another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from vser_stream.config.schema import SourceConfig
from vser_stream.runtime.source.listener import Listener

__all__ = ["Roster"]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    config: SourceConfig
    listener: Listener
    task: asyncio.Task[None]


class Forgetting(Protocol):
    """Has told others of sources."""

    async def forget(self, source: str) -> None:
        """Leave nothing of a source."""
        ...


class Roster:
    """The listeners of the daemon.

    Args:
        make: A listener for a source; it opens nothing yet.
        announcements: Leave nothing of a source that is no longer wanted, once it has ended.
    """

    def __init__(
        self,
        make: Callable[[SourceConfig], Listener],
        *,
        announcements: Forgetting,
    ) -> None:
        self._make = make
        self._announcements = announcements
        self._entries: dict[str, _Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def listeners(self) -> list[Listener]:
        """Those that are wanted now."""
        return [entry.listener for entry in self._entries.values()]

    @property
    def names(self) -> list[str]:
        """Of those that are wanted now."""
        return list(self._entries)

    async def run(self) -> None:
        """Return when every source has ended or was stopped."""
        while self._tasks:
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            done, _ = await asyncio.wait({*self._tasks, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            for task in done & self._tasks:
                self._tasks.discard(task)
                task.result()

    def apply(self, sources: Iterable[SourceConfig]) -> None:
        """Listen to exactly these sources from now on; in a running event loop.

        One that stays as it is goes on undisturbed; if it waits for its next attempt, that comes now.
        """
        wanted = {source.name: source for source in sources}
        for name in self._entries.keys() - wanted.keys():
            self._entries.pop(name).listener.stop()
        for name, source in wanted.items():
            entry = self._entries.get(name)
            if entry is None:
                self._start(source, after=None)
            elif entry.config == source:
                entry.listener.retry()
            else:
                entry.listener.stop()
                self._start(source, after=entry.task)
        self._changed.set()

    def stop(self) -> None:
        """Let :meth:`run` end."""
        for listener in self.listeners:
            listener.stop()

    def _start(self, source: SourceConfig, *, after: asyncio.Task[None] | None) -> None:
        listener = self._make(source)
        task = asyncio.create_task(self._listen(listener, after), name=f"listen-{source.name}")
        self._tasks.add(task)
        self._entries[source.name] = _Entry(source, listener, task)

    async def _listen(self, listener: Listener, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        listening = asyncio.create_task(listener.run(), name=f"run-{listener.name}")
        watching = asyncio.create_task(listener.watch(), name=f"health-{listener.name}")
        attending = asyncio.create_task(listener.attend(), name=f"attend-{listener.name}")
        try:
            await listening
        finally:
            listening.cancel()
            watching.cancel()
            attending.cancel()
        if listener.name not in self._entries:
            await self._announcements.forget(listener.name)
