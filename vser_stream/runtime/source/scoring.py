"""The pipeline of one source, on the one thread where every source is scored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.core.pipeline import Outcome
from vser_stream.ports import Clock
from vser_stream.runtime.containment import contained
from vser_stream.runtime.source.parts import Source
from vser_stream.values import RATE, Block, Cut, Decision

__all__ = ["Scoring"]


class Scoring:
    """Runs it there.

    Args:
        source: Whose.
        scorer: The thread.
        metrics: Counts the work.
        clock: What time it is.
    """

    def __init__(self, source: Source, scorer: Executor, *, metrics: Metrics, clock: Clock) -> None:
        self._source, self._scorer = source, scorer
        self._metrics, self._clock = metrics, clock

    async def hear(self, block: Block | None) -> list[Outcome]:
        """Take a block, or the end of what was audible; return what came of it.

        Raises:
            VserError: It cannot be judged; a bug is one, too.
        """
        return await self._on_thread(
            partial(contained, partial(self._judge, block), source=self._source.name)
        )

    async def change(self, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Change the alarm between two blocks; return what came of it."""
        return await self._on_thread(work)

    async def _on_thread(self, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        return await asyncio.get_running_loop().run_in_executor(self._scorer, work)

    def _judge(self, block: Block | None) -> list[Outcome]:
        pipeline = self._source.pipeline
        began = self._clock.monotonic()
        outcomes = pipeline.flush(Cut.GAP) if block is None else pipeline.feed(block)
        self._metrics.scored(
            self._source.name,
            audio=0.0 if block is None else len(block.pcm) / RATE,
            work=self._clock.monotonic() - began,
            decided=any(isinstance(outcome.what, Decision) for outcome in outcomes),
        )
        return outcomes
