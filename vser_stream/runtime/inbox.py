"""What arrives over a connection to the broker, and the answers to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from vser_stream.adapters.mqtt import Received
from vser_stream.errors import MessageRefusedError, PublishError
from vser_stream.ports import Publisher
from vser_stream.runtime.access import Access
from vser_stream.values import Message

__all__ = ["Connection", "Inbox"]

_log = logging.getLogger(__name__)


class Connection(Publisher, Protocol):
    """An open connection to a broker."""

    async def answer(self, received: Received, message: Message) -> None:
        """Publish ``message`` as the answer to ``received``."""
        ...

    async def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic."""
        ...

    def received(self) -> AsyncIterator[Received]:
        """Yield what arrives; ends with the connection."""
        ...

    async def closed(self) -> PublishError:
        """Wait until the connection is lost; return why."""
        ...


class Inbox:
    """Hands on what arrives, one message after the other.

    Args:
        topics: What to subscribe to on each connection.
        on_received: Returns the answer, which is published at once and kept nowhere.
        access: Told which topics the broker lets us read; checks the others on each connection.
    """

    def __init__(
        self,
        topics: Iterable[str],
        *,
        on_received: Callable[[Received], Awaitable[Message | None]],
        access: Access,
    ) -> None:
        self._topics = tuple(topics)
        self._on_received, self._access = on_received, access

    async def attend(self, connection: Connection) -> PublishError:
        """Subscribe and hand on until the connection is lost; return why."""
        checking = asyncio.create_task(self._access.check())
        try:
            for topic in self._topics:
                await self._subscribe(connection, topic)
            async for received in connection.received():
                answer = await self._on_received(received)
                if answer is not None:
                    await self._answer(connection, received, answer)
            return await connection.closed()
        except PublishError as exc:
            return exc
        finally:
            checking.cancel()

    async def _subscribe(self, connection: Connection, topic: str) -> None:
        try:
            await connection.subscribe(topic)
        except MessageRefusedError as exc:
            self._access.deny(topic, str(exc))
        else:
            self._access.allow(topic)

    async def _answer(self, connection: Connection, received: Received, answer: Message) -> None:
        try:
            await connection.answer(received, answer)
        except MessageRefusedError as exc:
            _log.warning("no answer to a command: topic=%s error=%s", received.topic, exc)
