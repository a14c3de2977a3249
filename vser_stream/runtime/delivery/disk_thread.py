"""The one thread that touches a disk: whoever needs the disk waits for it, and not for long.

A disk that hangs holds whatever thread asks it, in the kernel, where nobody can end it. So neither
the event loop nor the scoring thread ever asks: all work is done in order on a thread of its own.
The default executor would do, were it not shared with whoever blocks in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from vser_stream.errors import OutboxError

__all__ = ["PATIENCE", "Disk"]

PATIENCE = 1.0
"""Longest wait for the disk: a healthy flash card commits within some ten milliseconds (s)."""

_T = TypeVar("_T")


class Disk:
    """Does what is asked of it, one after the other.

    Args:
        name: Of its thread.
    """

    def __init__(self, name: str = "disk") -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stalled: asyncio.Future[Any] | None = None

    async def run(self, call: Callable[[], _T], *, within: float = PATIENCE) -> _T:
        """Run ``call`` there, also to its end when nobody waits any longer.

        While one that took too long is not over, nobody waits for another at all.

        Raises:
            OutboxError: It takes longer than ``within`` (s), or the disk hangs.
        """
        if self._stalled is None or self._stalled.done():
            work = self.queue(call)
            await asyncio.wait({work}, timeout=within)
            if work.done():
                return work.result()
            self._stalled = work
        raise OutboxError("the disk does not answer; check it for errors")

    def queue(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        """Run ``call`` when it is its turn."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, call)
        work.add_done_callback(_seen)
        return work


def _seen(work: asyncio.Future[Any]) -> None:
    """Take note of the outcome, for perhaps nobody waits for it any longer."""
    if not work.cancelled():
        work.exception()
