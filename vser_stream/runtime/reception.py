"""What the site listens to on the broker, and how it presents itself there.

The broker's own retained states tell which sources there once were: those of an earlier
configuration are cleared, and Home Assistant is told to forget them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator

from vser_stream import __version__
from vser_stream.adapters.mqtt import Received
from vser_stream.config import HomeAssistantConfig
from vser_stream.core.commands import Allowance
from vser_stream.core.discovery import discovery_messages, forgotten, migration
from vser_stream.core.wire import topics
from vser_stream.runtime.commands import CommandDesk
from vser_stream.runtime.listener import Listener, new_id
from vser_stream.values import Message, MessageKind

__all__ = ["Reception"]

FORGET_RATE, FORGET_BURST = 0.1, 60
"""Sources of an earlier configuration forgotten each second in the long run, and at once: more than there
were on any box, and no work for whoever leaves thousands of states on the broker."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a source of ours may have been called."""


class Reception:
    """Takes what arrives for a site.

    Args:
        site: Of the agent.
        config: Whether and where Home Assistant listens.
        health_every: Time between two health messages of a source (s).
        listeners: Those of the sources that are listened to now.
        desk: Obeys commands.
        put: Hands a message to delivery.
    """

    def __init__(
        self,
        site: str,
        config: HomeAssistantConfig,
        *,
        health_every: float,
        listeners: Callable[[], Iterable[Listener]],
        desk: CommandDesk,
        put: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._site, self._config = site, config
        self._health_every = health_every
        self._listeners, self._put = listeners, put
        self._desk = desk
        self._forgetting = Allowance(rate=FORGET_RATE, burst=FORGET_BURST)
        self._birth = topics.home_assistant_status(config.prefix)
        self._migrated = False

    @property
    def topics(self) -> list[str]:
        """What to subscribe to."""
        ours = [
            topics.command(self._site, topics.ANY, topics.ANY),
            topics.document(self._site, topics.ANY, MessageKind.STATE),
        ]
        return [*ours, self._birth] if self._config.enabled else ours

    def presentation(self) -> Iterator[Message]:
        """The discovery documents, where Home Assistant is wanted."""
        if not self._config.enabled:
            return
        if not self._migrated:
            self._migrated = True
            yield migration(self._site, prefix=self._config.prefix, message_id=new_id())
        yield from discovery_messages(
            self._site,
            [listener.name for listener in self._listeners()],
            prefix=self._config.prefix,
            version=__version__,
            health_every=self._health_every,
            new_id=new_id,
        )

    async def receive(self, received: Received) -> Message | None:
        """Act on what arrives; return the answer where one is wanted."""
        if received.topic == self._birth:
            if received.payload == b"online":
                await self.present()
            return None
        match topics.parse(received.topic):
            case topics.Topic(source=str(source), last=MessageKind.STATE, is_command=False):
                known = {listener.name for listener in self._listeners()}
                left = received.retain and received.payload and source not in known
                if left and _NAME.fullmatch(source) and self._forgetting.take(time.monotonic()):
                    await self.forget(source)
                return None
            case _:
                return await self._desk.receive(received)

    async def forget(self, source: str) -> None:
        """Leave nothing of a source that is listened to no longer."""
        if self._config.enabled:
            await self._put(forgotten(self._site, source, prefix=self._config.prefix, message_id=new_id()))
        for kind in (MessageKind.STATE, MessageKind.HEALTH):
            topic = topics.document(self._site, source, kind)
            await self._put(Message(topic, b"", 1, retain=True, id=new_id()))

    async def present(self) -> None:
        """Tell Home Assistant who is listened to now."""
        for message in self.presentation():
            await self._put(message)
