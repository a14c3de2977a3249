"""A sign of life that is earned: whoever hangs while the process lives must not look alive.

A check runs in the event loop, so a loop that hangs makes none. The scorer must take a turn,
and each source must have done what it promised by then: hand over a block, or try again after
an outage that it admits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NoReturn, Protocol

__all__ = ["Watchdog"]

UNWATCHED = 10.0
"""Time between two checks where nobody asks for signs of life (s)."""

LATE = 5.0
"""A busy box may keep its promises that much later (s)."""

_log = logging.getLogger(__name__)


class Promising(Protocol):
    """Who says by when something will happen."""

    @property
    def name(self) -> str:
        """Of the source."""
        ...

    @property
    def overdue(self) -> float:
        """Time since the last promise was broken (s); 0 for none."""
        ...


class PromisingSources(Protocol):
    """Knows who has promised something."""

    @property
    def listeners(self) -> Sequence[Promising]:
        """Those that are listened to now."""
        ...


class Watchdog:
    """Checks four times in each ``longest``.

    Args:
        scorer: Where a turn is asked for.
        sources: Who has promised something.
        longest: Time between two signs of life that systemd allows (s); 0 for any.
        on_alive: Called after each check that found nothing wrong.
    """

    def __init__(
        self,
        scorer: Executor,
        sources: PromisingSources,
        *,
        longest: float,
        on_alive: Callable[[], None],
    ) -> None:
        self._scorer, self._sources = scorer, sources
        self._every = longest / 4 or UNWATCHED
        self._on_alive = on_alive
        self._turn: asyncio.Future[None] | None = None
        self.hanging: tuple[str, ...] = ()
        """What made no progress at the last check."""

    async def run(self) -> NoReturn:
        """Check again and again."""
        while True:
            hanging = [] if await self._scorer_takes_a_turn() else ["scorer"]
            hanging += [f"source {one.name}" for one in self._sources.listeners if one.overdue > LATE]
            self.hanging = tuple(hanging)
            if hanging:
                _log.error("watchdog: no progress: hanging=%s", ", ".join(hanging))
            else:
                self._on_alive()
            await asyncio.sleep(self._every)

    async def _scorer_takes_a_turn(self) -> bool:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().run_in_executor(self._scorer, _nothing)
        await asyncio.wait({self._turn}, timeout=self._every)
        if not self._turn.done():
            return False
        self._turn = None
        return True


def _nothing() -> None:
    """Whoever gets to this has finished what came before."""
