"""Audit records are stored only as long as the configuration allows."""

from __future__ import annotations

import asyncio
import logging
from typing import NoReturn

from vser_stream.errors import OutboxError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.spool import Keeper

__all__ = ["DAY", "Retention"]

DAY = 86_400.0
"""(s)."""

_log = logging.getLogger(__name__)


class Retention:
    """Run :meth:`run` as a task.

    Args:
        keeper: Where evidence is.
        days: How long it is kept (d).
        clock: What time it is.
    """

    def __init__(self, keeper: Keeper, *, days: float, clock: Clock) -> None:
        self._keeper, self._days, self._clock = keeper, days, clock

    async def run(self) -> NoReturn:
        """Delete what is older, once a day."""
        while True:
            try:
                gone = await self._keeper.purge(self._clock.wall() - self._days * DAY)
                _log.info("audit records purged: count=%d", gone)
            except OutboxError as exc:
                _log.error("expired audit records could not be purged, trying again tomorrow: error=%s", exc)
            await asyncio.sleep(DAY)
