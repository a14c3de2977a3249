"""What a site says of itself: whether any source delivers audio, first and last on each connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NoReturn

from vser_stream.core.wire.documents import SiteStatus, message_of, status_message
from vser_stream.ports import Store
from vser_stream.runtime.delivery.inbox import Inbox
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.runtime.source.documents import new_id
from vser_stream.runtime.source.roster import Roster
from vser_stream.values import Message

__all__ = ["SitePresence"]


class SitePresence:
    """Implements :class:`vser_stream.ports.Presence`. Run :meth:`run` as a task.

    Args:
        site: Of the agent.
        roster: Who is listened to.
        announcements: To Home Assistant.
        inbox: Connects where alerts could.
        store: Has messages delivered.
        heard_changed: Set when a source may be heard that was not, or no longer.
    """

    def __init__(
        self,
        site: str,
        roster: Roster,
        *,
        announcements: Announcements,
        inbox: Inbox,
        store: Store,
        heard_changed: asyncio.Event,
    ) -> None:
        self._site, self._roster = site, roster
        self._announcements, self._inbox, self._store = announcements, inbox, store
        self._heard_changed = heard_changed
        self._heard = False

    async def run(self) -> NoReturn:
        """Say online only while something is heard: a deaf monitor is no better than none."""
        while True:
            await self._heard_changed.wait()
            self._heard_changed.clear()
            heard = [listener.heard for listener in self._roster.listeners if listener.heard is not None]
            if heard and any(heard) is not self._heard:
                self._heard = any(heard)
                await self._store.commit((status_message(self._site, self._status, new_id()),))

    def greeting(self) -> Iterator[Message]:
        """First on each connection: what late subscribers must find retained."""
        self._inbox.hurry()
        yield status_message(self._site, self._status, new_id())
        for listener in self._roster.listeners:
            if listener.begun:
                yield message_of(listener.state(), new_id())
                yield message_of(listener.health(), new_id())
        yield from self._announcements.of(self._roster.names)

    def farewell(self) -> Iterator[Message]:
        """Last, before disconnecting."""
        yield status_message(self._site, SiteStatus.STOPPED, new_id())

    @property
    def _status(self) -> SiteStatus:
        return SiteStatus.ONLINE if self._heard else SiteStatus.OFFLINE
