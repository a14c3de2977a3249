"""What people at this box ask of the daemon over its local socket.

In the words of :mod:`vser_stream.core.wire.control_requests`. Only the daemon writes below its state folder,
so who wants something changed there asks here. Work for it is done beside the scoring thread, never on it: no
question can delay an alert.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.control_socket import answering
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.scoring.enrolment import Calibration
from vser_stream.core.wire.control_requests import Calibrate, Forget, Purge, Reload, parse
from vser_stream.core.wire.documents import Health
from vser_stream.errors import CaptureError, ConfigError, UserError
from vser_stream.ports import Clock
from vser_stream.runtime.assembly import Assembly
from vser_stream.values import RATE, Block

__all__ = ["ControlDesk", "Taught", "control"]

OPENING = 15.0
"""Longest time a source takes to deliver (s)."""

TELL_EVERY = 0.25
"""Audio between two words on how it goes (s)."""

T = TypeVar("T")

Reloads = Callable[[], Awaitable[str | None]]
"""Reads the configuration again; returns why it cannot be used, if it cannot."""

Said = AsyncGenerator[Mapping[str, object], None]

_log = logging.getLogger(__name__)


class Taught(Protocol):
    """A source that can be listened in to, and taught a calm voice."""

    @property
    def name(self) -> str:
        """Of the source."""
        ...

    def health(self) -> Health:
        """How it is heard, and what it has learned from."""
        ...

    def listen_in(self) -> AsyncGenerator[Block]:
        """Its blocks as they come, until it ends."""
        ...

    async def learn(self, baseline: Baseline | None) -> None:
        """Replace or forget the calm voice, and keep that."""
        ...


class TaughtSources(Protocol):
    """Knows who can be taught."""

    @property
    def listeners(self) -> Sequence[Taught]:
        """Those that are listened to now."""
        ...


@asynccontextmanager
async def control(parts: Assembly, *, reload: Reloads) -> AsyncIterator[None]:
    """Answer within the block.

    Args:
        parts: Of whom is asked.
        reload: Reads the configuration again.
    """
    desk = ControlDesk(
        parts.roster, calibration=parts.engine.calibration, purge=parts.keeper.purge, reload=reload
    )
    try:
        async with answering(parts.folder.path, desk.answer, on_disk=parts.keeper.disk.queue):
            yield
    finally:
        desk.close()


class ControlDesk:
    """Does what is asked.

    Args:
        sources: Who can be listened in to.
        calibration: Makes a fresh one; takes a moment.
        purge: Deletes evidence from before a wall time (s); returns how many records.
        reload: Reads the configuration again.
        clock: What time it is.
    """

    def __init__(
        self,
        sources: TaughtSources,
        *,
        calibration: Callable[[], Calibration],
        purge: Callable[[float], Awaitable[int]],
        reload: Reloads,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._sources, self._calibration = sources, calibration
        self._purge, self._reload, self._clock = purge, reload, clock
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="calibration")
        self._calibrating = False

    def close(self) -> None:
        """Begin nothing more."""
        self._beside.shutdown(wait=False, cancel_futures=True)

    async def answer(self, question: bytes, user: int) -> Said:
        """Answer a question of a user, by its number.

        Raises:
            UserError: It cannot be understood, or may not be asked.
            VserError: It cannot be done.
        """
        try:
            asked = parse(question)
        except ValueError as exc:
            raise UserError("the daemon does not know this request; are both of one release?") from exc
        match asked:
            case Calibrate():
                async with aclosing(self._calibrate(asked, user)) as told:
                    async for words in told:
                        yield words
            case Forget(source=name):
                source = self._source(name)
                health = source.health()
                known = health.baseline_utterances > 0 or any(
                    it.distress != it.usual for it in health.thresholds
                )
                await source.learn(None)
                _log.info("baseline deleted: source=%s uid=%d", name, user)
                yield {"forgotten": known}
            case Reload():
                if refused := await self._reload():
                    raise ConfigError(f"the daemon keeps its configuration: {refused}")
                yield {"reloaded": True}
            case Purge(before=before):
                if user not in {0, os.geteuid()}:
                    raise UserError("only root may delete audit records; run this as root")
                deleted = await self._purge(math.inf if before is None else before)
                _log.warning("audit records deleted: count=%d uid=%d", deleted, user)
                yield {"deleted": deleted}

    def _source(self, name: str) -> Taught:
        for source in self._sources.listeners:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self._sources.listeners)
        raise UserError(f"the daemon monitors no source named {name!r}, but to: {known}; reload it?")

    async def _calibrate(self, asked: Calibrate, user: int) -> Said:
        source = self._source(asked.source)
        if self._calibrating:
            raise UserError("a source is being calibrated already; wait until that is done")
        self._calibrating = True
        try:
            calibration = await self._apart(self._calibration)
            async with (
                aclosing(source.listen_in()) as blocks,
                aclosing(_within(blocks, asked.seconds, clock=self._clock)) as some,
            ):
                async for block in some:
                    before = calibration.samples
                    await self._apart(partial(calibration.feed, block))
                    if calibration.samples // (TELL_EVERY * RATE) != before // (TELL_EVERY * RATE):
                        yield calibration.facts | {"level_db": calibration.level_db}
            await self._apart(calibration.flush)
            if calibration.enough:
                await source.learn(calibration.baseline)
                _log.info(
                    "baseline enrolled: source=%s utterances=%d uid=%d",
                    asked.source,
                    calibration.utterances,
                    user,
                )
            yield {"done": calibration.facts}
        finally:
            self._calibrating = False

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._beside, work)


async def _within(blocks: AsyncGenerator[Block], seconds: float, *, clock: Clock) -> AsyncGenerator[Block]:
    """So much of it, or what comes in little more time.

    Raises:
        CaptureError: Nothing comes.
    """
    until, samples = clock.monotonic() + OPENING + seconds, 0
    while samples < seconds * RATE:
        patience = min(OPENING, until - clock.monotonic())
        try:
            async with asyncio.timeout(max(0.0, patience)):
                block = await anext(blocks, None)
        except TimeoutError:
            block = None
        if block is None:
            break
        samples += len(block.pcm)
        yield block
    if not samples:
        raise CaptureError("the source delivers no audio now; see: vser-stream doctor")
