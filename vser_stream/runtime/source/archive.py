"""Snapshots of sources, in the state database: what they must know after a restart."""

from __future__ import annotations

import logging

from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.errors import OutboxError
from vser_stream.runtime.delivery.spool import Keeper

__all__ = ["KeptArchive"]

_log = logging.getLogger(__name__)


class KeptArchive:
    """Implements :class:`vser_stream.runtime.source.parts.Archive`.

    Args:
        keeper: Where it is.
        features: Identity of those a baseline is of.
    """

    def __init__(self, keeper: Keeper, *, features: str) -> None:
        self._keeper, self._features = keeper, features

    async def recall(self, source: str) -> Remembered | None:
        """What is kept of a source; None where the disk does not answer."""
        try:
            document = await self._keeper.recall(source)
        except OutboxError as exc:
            _log.error("stored state cannot be read, alarms start afresh: source=%s error=%s", source, exc)
            return None
        try:
            known = recall(document, features=self._features) if document else Remembered()
        except ValueError as exc:
            _log.error("stored state is invalid and was discarded: source=%s error=%s", source, exc)
            await self._keeper.forget(source)
            return Remembered()
        if known.outdated:
            _log.warning(
                "baseline of another feature set discarded; please calibrate again: source=%s", source
            )
        return known

    def document(self, kept: Remembered) -> bytes:
        """In the form in which it is kept."""
        return remember(kept, features=self._features)
