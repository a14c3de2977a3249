"""A connection to the broker, and how long to wait for the next one."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Protocol

from vser_stream.adapters.mqtt.client import Limits, Received
from vser_stream.errors import PublishError
from vser_stream.ports import Publisher
from vser_stream.values import Message

__all__ = ["LONGEST_PAUSE", "STABLE", "Connection", "backoff", "pause", "unique"]

LONGEST_PAUSE = 60.0
"""Between two attempts to connect (s)."""

STABLE = 30.0
"""A connection that lasted this long was a good one: the next attempt is an early one (s)."""


class Connection(Publisher, Protocol):
    """An open connection to a broker."""

    @property
    def limits(self) -> Limits:
        """What the broker takes, as far as it says so."""
        ...

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


def unique(client_id: str) -> str:
    """A client id nobody else uses, by mistake or to throw us out; it begins as the plain one."""
    return f"{client_id}-{secrets.token_hex(4)}"


def backoff(failures: int, jitter: float, *, longest: float = LONGEST_PAUSE) -> float:
    """Pause before the next attempt (s): 1, 2, 4 ... ``longest``, each shortened by up to a half.

    Args:
        failures: Connections that failed since the last good one.
        jitter: From 0 to 1; spreads boxes that lost the same broker.
        longest: (s).
    """
    doublings = min(max(0, failures - 1), 6)
    return min(longest, 2.0**doublings) * (1 - jitter / 2)


async def pause(event: asyncio.Event, longest: float) -> None:
    """Wait for ``event``, at most ``longest`` (s)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            await event.wait()
