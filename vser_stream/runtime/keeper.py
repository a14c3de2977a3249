"""What must survive a crash, on the disk or, while that fails, in memory.

All disk work runs in order on one thread of its own. The default executor would do, were it
not shared with whoever blocks in it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.errors import OutboxError
from vser_stream.values import Memory, Message, Record

__all__ = ["Keeper"]

PATIENCE = 1.0
"""Longest wait for the disk: a healthy flash card commits within some ten milliseconds (s)."""

MEMORY_LIMIT = 1000
"""Messages kept in memory while the disk fails."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Keeper:
    """Keeps what is committed, and finds the next message; the disk may fail at any time.

    Args:
        outbox: On the disk; closing it stays with the caller, after :meth:`settle`.
    """

    def __init__(self, outbox: SqliteOutbox) -> None:
        self._outbox = outbox
        self._held = SqliteOutbox(None, limit=MEMORY_LIMIT)
        self._memories: dict[str, Memory] = {}
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._stalled: asyncio.Future[Any] | None = None
        self._depth, self._oldest = 0, 0.0
        self.fails_since: float | None = None
        """Wall time at which the disk first failed (s); None while it works."""
        self.unsaved = 0
        """Messages the disk did not keep, which were in memory only, and records it lost."""

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Return once all is kept; where the disk fails, records are lost and the rest is in memory."""
        try:
            await self.save()
            await self.on_disk(partial(self._outbox.commit, messages, memory=memory, records=records))
        except OutboxError as exc:
            self._complain(exc)
            self.unsaved += len(messages) + len(records)
            if memory is not None:
                self._memories[memory.source] = memory
            for message in messages:
                self._hold(message)
        else:
            self.fails_since = None

    async def save(self) -> None:
        """Move to the disk what it did not keep before.

        Raises:
            OutboxError: It still does not.
        """
        for message in self._held:
            await self.on_disk(partial(self._outbox.put, message))
            self._held.delete(message.id)
        for source, memory in list(self._memories.items()):
            await self.on_disk(partial(self._outbox.commit, (), memory=memory))
            if self._memories.get(source) is memory:
                del self._memories[source]

    async def next(self, now: float, *, skip: Collection[str]) -> Message | None:
        """The most urgent message that may be sent; at the same priority the disk's is older."""
        try:
            saved = await self.on_disk(partial(self._outbox.next, now, skip=skip))
        except OutboxError as exc:
            self._complain(exc)
            saved = None
        waiting = [m for m in (saved, self._held.next(now, skip=skip)) if m is not None]
        return max(waiting, key=lambda message: message.priority, default=None)

    def delete(self, message_id: str) -> None:
        """Forget a message that was sent."""
        self._held.delete(message_id)
        self._queue(partial(self._outbox.delete, message_id))

    def discard(self, topics: Collection[str]) -> None:
        """Forget the waiting retained messages of ``topics``."""
        # Queued before anybody can put a newer message, and before the next one is read.
        self._queue(partial(self._outbox.discard, topics))
        self._held.discard(topics)

    async def depth(self, now: float) -> tuple[int, float]:
        """How many messages wait, and the age of the oldest on the disk (s).

        While the disk fails, the last known.
        """
        try:
            self._depth = await self.on_disk(self._outbox.__len__)
            self._oldest = await self.on_disk(partial(self._outbox.oldest, now))
        except OutboxError as exc:
            _log.debug("depth is the last known: error=%s", exc)
        return self._depth + len(self._held), self._oldest

    @property
    def expired(self) -> int:
        """Messages that nobody could use any more."""
        return self._outbox.expired + self._held.expired

    @property
    def evicted(self) -> int:
        """Messages dropped because too many waited."""
        return self._outbox.evicted + self._held.evicted

    async def settle(self) -> None:
        """Wait until what was asked of the disk has been done.

        Raises:
            OutboxError: It does not answer.
        """
        await self.on_disk(lambda: None)

    async def on_disk(self, call: Callable[[], _T]) -> _T:
        """Run ``call`` on the disk's thread, also to its end when nobody waits any longer.

        Raises:
            OutboxError: The disk failed, or hangs.
        """
        if self._stalled is None or self._stalled.done():
            work = self._queue(call)
            await asyncio.wait({work}, timeout=PATIENCE)
            if work.done():
                return work.result()
            self._stalled = work
            work.add_done_callback(_seen)
        raise OutboxError("outbox: the disk does not answer; check it for errors")

    def _hold(self, message: Message) -> None:
        if message.retain:
            self._queue(partial(self._outbox.discard, {message.topic}))
        self._held.put(message)

    def _complain(self, exc: OutboxError) -> None:
        if self.fails_since is None:
            self.fails_since = time.time()
            _log.error("messages are kept in memory only, evidence is lost: error=%s", exc)

    def _queue(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._disk, call)


def _seen(work: asyncio.Future[Any]) -> None:
    """Take note of the outcome nobody waited for; the message is in memory."""
    if not work.cancelled():
        work.exception()
