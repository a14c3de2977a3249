"""What must survive a crash, on the disk or, while that fails, in memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.errors import OutboxError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.disk_thread import Disk
from vser_stream.values import Memory, Message, Record

__all__ = ["Keeper"]

OPEN_WITHIN = 5.0
"""Longest wait for the disk before listening begins: a journal of a crash may have to be played back (s)."""

MEMORY_LIMIT = 1000
"""Messages kept in memory while the disk fails."""

_log = logging.getLogger(__name__)


class Keeper:
    """Keeps what is committed, and finds the next message; the disk may fail at any time.

    Args:
        outbox: On the disk; used on the disk's thread only, :meth:`close` closes it.
        clock: What time it is.
    """

    def __init__(self, outbox: SqliteOutbox, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._outbox, self.clock = outbox, clock
        self.news = asyncio.Event()
        """Set when there may be something to send; whoever sends clears it."""

        self.hurry = asyncio.Event()
        """Set when that is worth another connection at once."""

        self._held = SqliteOutbox(None, limit=MEMORY_LIMIT, clock=clock)
        self._latest: dict[str, Memory] = {}
        self._unsaved: dict[str, Memory] = {}
        self.disk = Disk()
        """Whatever else is kept in the state folder is read and written there, too."""
        self._depth, self._oldest = 0, 0.0
        self._began = clock.wall()
        self.fails_since: float | None = None
        """Wall time at which the disk first failed (s); None while it works."""
        self.failure = ""
        """Why it failed last, and what to do."""
        self.unsaved = 0
        """Messages the disk did not keep, which were in memory only, and records it lost."""

    async def open(self, before: Callable[[SqliteOutbox], object] = lambda _: None) -> None:
        """Have the disk ready, and know from then on what every source remembers without asking it.

        Args:
            before: Done on the disk's thread first.
        """

        def read() -> list[Memory]:
            before(self._outbox)
            return self._outbox.memories()

        try:
            memories = await self.disk.run(read, within=OPEN_WITHIN)
        except (OutboxError, OSError) as exc:
            self._complain(exc)
        else:
            self._latest = {memory.source: memory for memory in memories} | self._latest

    async def recall(self, source: str) -> bytes | None:
        """The latest memory of a source.

        Raises:
            OutboxError: The disk does not tell, and there was none since it last did.
        """
        if known := self._latest.get(source):
            return known.document
        return await self.disk.run(partial(self._outbox.memory, source))

    async def forget(self, source: str) -> None:
        """Set aside what is kept of a source; it makes no sense."""
        self._latest.pop(source, None)
        self._unsaved.pop(source, None)
        with contextlib.suppress(OutboxError):
            await self.disk.run(partial(self._outbox.forget, source))

    async def put(self, message: Message) -> None:
        """Return once a message is kept, on the disk or, where that fails, in memory."""
        await self.commit((message,))

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Implements :class:`vser_stream.ports.Store`."""
        try:
            await self._keep(messages, memory, records)
        finally:
            self.notify(urgent=any(message.is_alarm for message in messages))

    def notify(self, *, urgent: bool = False) -> None:
        """Have messages looked for; if ``urgent``, connect for them without waiting longer."""
        self.news.set()
        if urgent:
            self.hurry.set()

    async def _keep(
        self, messages: Sequence[Message], memory: Memory | None, records: Sequence[Record]
    ) -> None:
        if memory is not None:
            self._latest[memory.source] = memory
        try:
            await self.save()
            await self.disk.run(partial(self._outbox.commit, messages, memory=memory, records=records))
        except OutboxError as exc:
            self._complain(exc)
            self.unsaved += len(messages) + len(records)
            if memory is not None:
                self._unsaved[memory.source] = memory
            for message in messages:
                self._hold(message)
        else:
            self.fails_since = None

    async def save(self) -> None:
        """Move to the disk what it did not keep before.

        Raises:
            OutboxError: It still does not.
        """
        # As one: an alarm waits for this, and each commit costs a flash card some ten milliseconds.
        if held := list(self._held):
            await self.disk.run(partial(self._outbox.commit, held))
        for message in held:
            self._held.delete(message.id)
        for source, memory in list(self._unsaved.items()):
            await self.disk.run(partial(self._outbox.commit, (), memory=memory))
            if self._unsaved.get(source) is memory:
                del self._unsaved[source]

    async def next(self, now: float, *, skip: Collection[str]) -> Message | None:
        """The most urgent message that may be sent; at the same priority the disk's is older."""
        try:
            saved = await self.disk.run(partial(self._outbox.next, now, skip=skip))
        except OutboxError as exc:
            self._complain(exc)
            saved = None
        waiting = [m for m in (saved, self._held.next(now, skip=skip)) if m is not None]
        return max(waiting, key=lambda message: message.priority, default=None)

    def delete(self, message_id: str) -> None:
        """Forget a message that was sent."""
        self._held.delete(message_id)
        self.disk.queue(partial(self._outbox.delete, message_id))

    def discard(self, topics: Collection[str]) -> None:
        """Forget the waiting retained messages of ``topics``."""
        # Queued before anybody can put a newer message, and before the next one is read.
        self.disk.queue(partial(self._outbox.discard, topics))
        self._held.discard(topics)

    async def depth(self, now: float) -> tuple[int, float]:
        """How many messages wait, and the age of the oldest on the disk (s).

        While the disk fails, the last known.
        """
        try:
            self._depth = await self.disk.run(self._outbox.__len__)
            self._oldest = await self.disk.run(partial(self._outbox.oldest, now))
        except OutboxError as exc:
            _log.debug("outbox cannot be counted, depth is the last known: error=%s", exc)
        return self._depth + len(self._held), self._oldest

    @property
    def expired(self) -> int:
        """Messages that nobody could use any more."""
        return self._outbox.expired + self._held.expired

    @property
    def evicted(self) -> int:
        """Messages dropped because too many waited."""
        return self._outbox.evicted + self._held.evicted

    async def purge(self, before: float) -> int:
        """Delete evidence from before ``before`` (wall time, s); return how many records.

        Raises:
            OutboxError: The disk failed, or takes its time; it may still be done.
        """
        return await self.disk.run(partial(self._outbox.purge, before))

    def conditions(self) -> Iterator[Condition]:
        """What is wrong with the disk, for whoever reads health, metrics or the log."""
        if self.fails_since is not None:
            reason = f"messages are in memory only: {self.failure}"
            yield Condition(ConditionName.DISK, "medium", self.fails_since, reason)
        elif (moved := self._moved_aside()) is not None:
            yield moved

    def _moved_aside(self) -> Condition | None:
        """What could not be used: told until the next start, for somebody may want it."""
        reasons = []
        if (path := self._outbox.aside) is not None:
            reasons.append(f"the previous outbox could not be read and was moved to {path}")
        if rows := self._outbox.set_aside:
            reasons.append(f"{rows} damaged entries of outbox.db were set aside there")
        if not reasons:
            return None
        words = f"{'; '.join(reasons)}; see the log for why, and check the disk for errors"
        return Condition(ConditionName.DISK, "low", self._began, words)

    async def settle(self) -> None:
        """Wait until what was asked of the disk has been done.

        Raises:
            OutboxError: It does not answer.
        """
        await self.disk.run(lambda: None)

    async def close(self) -> None:
        """Close the file; one that hangs is not waited for."""
        with contextlib.suppress(OutboxError):
            await self.disk.run(self._outbox.close)

    def _hold(self, message: Message) -> None:
        if message.retain:
            self.disk.queue(partial(self._outbox.discard, {message.topic}))
        self._held.put(message)

    def _complain(self, exc: OutboxError | OSError) -> None:
        self.failure = str(exc)
        if self.fails_since is None:
            self.fails_since = self.clock.wall()
            _log.error("messages are in memory only, audit records are lost: error=%s", exc)
