"""What people think of alarms, kept on the disk's own thread."""

from __future__ import annotations

from functools import partial

from vser_stream.adapters.storage.feedback import FEEDBACK, FeedbackFile
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.wire.commands import Feedback
from vser_stream.core.wire.documents import utc
from vser_stream.errors import CommandError, OutboxError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.disk_thread import Disk

__all__ = ["FeedbackKeeper"]


class FeedbackKeeper:
    """Implements :class:`vser_stream.runtime.remote.command_desk.FeedbackStore`.

    Args:
        file: Where it is kept.
        disk: Where the file is written.
        clock: What time it is.
    """

    def __init__(self, file: FeedbackFile, disk: Disk, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._file, self._disk, self._clock = file, disk, clock

    async def keep(self, source: str, feedback: Feedback) -> None:
        """Return once it is kept.

        Raises:
            CommandError: It may not be.
        """
        given = feedback.model_dump(mode="json", include={"alert_id", "verdict", "by", "note"})
        at = utc(self._clock.wall()).isoformat()
        record = {"schema": FEEDBACK, "source": source, **given, "at": at}
        try:
            await self._disk.run(partial(self._file.append, record))
        except OutboxError as exc:
            raise CommandError(f"feedback cannot be stored: {exc}") from exc
