"""How a site presents itself to Home Assistant, and what it takes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vser_stream import __version__
from vser_stream.config.schema import HomeAssistantConfig
from vser_stream.core.wire import topics
from vser_stream.core.wire.home_assistant import discovery_messages, forgotten, migration
from vser_stream.ports import Store
from vser_stream.runtime.source.documents import new_id
from vser_stream.values import Message, MessageKind

__all__ = ["Announcements"]


class Announcements:
    """Discovery documents, where Home Assistant is wanted.

    Args:
        site: Of the agent.
        config: Whether and where Home Assistant listens.
        health_every: Time between two health messages of a source (s).
        store: Has messages delivered.
    """

    def __init__(self, site: str, config: HomeAssistantConfig, *, health_every: float, store: Store) -> None:
        self._site, self._config = site, config
        self._health_every, self._store = health_every, store
        self._migrated = False

    @property
    def birth(self) -> str | None:
        """Topic on which Home Assistant says that it has started; None where it is not wanted."""
        return topics.home_assistant_status(self._config.prefix) if self._config.enabled else None

    def of(self, sources: Iterable[str]) -> Iterator[Message]:
        """What presents sources."""
        if not self._config.enabled:
            return
        if not self._migrated:
            self._migrated = True
            yield migration(self._site, prefix=self._config.prefix, message_id=new_id())
        yield from discovery_messages(
            self._site,
            list(sources),
            prefix=self._config.prefix,
            version=__version__,
            health_every=self._health_every,
            new_id=new_id,
        )

    async def present(self, sources: Iterable[str]) -> None:
        """Tell Home Assistant who is listened to now."""
        for message in self.of(sources):
            await self._store.commit((message,))

    async def forget(self, source: str) -> None:
        """Leave nothing of a source that is listened to no longer."""
        if self._config.enabled:
            gone = forgotten(self._site, source, prefix=self._config.prefix, message_id=new_id())
            await self._store.commit((gone,))
        for kind in (MessageKind.STATE, MessageKind.HEALTH):
            topic = topics.document(self._site, source, kind)
            await self._store.commit((Message(topic, b"", 1, retain=True, id=new_id()),))
