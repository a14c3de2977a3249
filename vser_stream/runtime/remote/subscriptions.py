"""What the site listens to on the broker.

The broker's own retained states tell which sources there once were: those of an earlier
configuration are cleared, and Home Assistant is told to forget them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from vser_stream.adapters.mqtt.client import Received
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.wire import topics
from vser_stream.core.wire.commands import Allowance
from vser_stream.ports import Clock
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.runtime.remote.command_desk import CommandDesk
from vser_stream.values import Message, MessageKind

__all__ = ["Names", "Reception"]

FORGET_RATE, FORGET_BURST = 0.1, 60
"""Sources of an earlier configuration forgotten each second in the long run, and at once: more than there
were on any box, and no work for whoever leaves thousands of states on the broker."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a source of ours may have been called."""


class Names(Protocol):
    """Knows what is listened to."""

    @property
    def names(self) -> Sequence[str]:
        """Of the sources of now."""
        ...


class Reception:
    """Takes what arrives for a site.

    Args:
        site: Of the agent.
        sources: What is listened to.
        desk: Obeys commands.
        announcements: To Home Assistant.
        clock: What time it is.
    """

    def __init__(
        self,
        site: str,
        sources: Names,
        *,
        desk: CommandDesk,
        announcements: Announcements,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._site, self._sources, self._clock = site, sources, clock
        self._desk, self._announcements = desk, announcements
        self._forgetting = Allowance(rate=FORGET_RATE, burst=FORGET_BURST)

    @property
    def topics(self) -> list[str]:
        """What to subscribe to."""
        ours = [
            topics.command(self._site, topics.ANY, topics.ANY),
            topics.document(self._site, topics.ANY, MessageKind.STATE),
        ]
        birth = self._announcements.birth
        return ours if birth is None else [*ours, birth]

    async def receive(self, received: Received) -> Message | None:
        """Act on what arrives; return the answer where one is wanted."""
        if received.topic == self._announcements.birth:
            if received.payload == b"online":
                await self._announcements.present(self._sources.names)
            return None
        match topics.parse(received.topic):
            case topics.Topic(source=str(source), last=MessageKind.STATE, is_command=False):
                left = received.retain and received.payload and source not in self._sources.names
                if left and _NAME.fullmatch(source) and self._forgetting.take(self._clock.monotonic()):
                    await self._announcements.forget(source)
                return None
            case _:
                return await self._desk.receive(received)
