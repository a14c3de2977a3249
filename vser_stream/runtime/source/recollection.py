"""What a source must know after a restart: when it is stored, and how the next listener takes it over."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from vser_stream.core.wire.source_snapshot import Remembered
from vser_stream.ports import Clock
from vser_stream.runtime.source.parts import Archive, Source
from vser_stream.values import Memory

__all__ = ["ASK_EVERY", "ROOM_SAVED_EVERY", "SAVE_EVERY", "Due", "Recollection"]

SAVE_EVERY = 300.0
"""Between two commits for what was learned alone: a minute of calm talk is some ten utterances, each moves
the baseline, and each commit costs a flash card a few pages (s)."""

ROOM_SAVED_EVERY = 1 / 24
"""Heard time between two commits for what was learned of the room alone (d)."""

ASK_EVERY = 10.0
"""Between two attempts to learn what is kept, where the disk did not answer at the start (s)."""


class Due(Enum):
    """What is to be done now."""

    ASK = auto()
    """For what could not be read."""

    SAVE = auto()
    """What was learned."""


class Recollection:
    """Of one source.

    Args:
        source: Whose.
        archive: Where it is kept.
        clock: What time it is.
    """

    def __init__(self, source: Source, archive: Archive, *, clock: Clock) -> None:
        self._source, self._archive, self._clock = source, archive, clock
        self.unread = True
        """Whether it is not yet known what an earlier listener has left."""

        self._saved_at = clock.monotonic()
        self._note_saved()

    async def go_on(self) -> None:
        """Take what an earlier listener has left; what was told since stays, if the disk answered late."""
        earlier = await self._archive.recall(self._source.name)
        if earlier is None:
            return
        self.unread = False
        reporter, pipeline = self._source.reporter, self._source.pipeline
        told, alarm = reporter.story, pipeline.alarm
        if told.seq == 0 and alarm.pause is None:
            reporter.story = earlier.story
            pipeline.alarm = replace(earlier.alarm, votes=alarm.votes)
        else:
            reporter.story = replace(told, seq=max(told.seq, earlier.story.seq))
        pipeline.room = earlier.alarm.room
        self._saved_room = pipeline.room
        if earlier.baseline is not None:
            pipeline.decider.start_from(earlier.baseline)
        self._saved = pipeline.decider.baseline

    def memory(self) -> Memory | None:
        """What is to be kept now; None as long as it would replace what nobody has read."""
        if self.unread:
            return None
        self._note_saved()
        moved = self._saved if self._saved.count else None
        kept = Remembered(self._source.pipeline.alarm, self._source.reporter.story, moved)
        return Memory(self._source.name, self._archive.document(kept))

    def due(self) -> Due | None:
        """What is to be done now and then; asked once, it is not due again at once."""
        now = self._clock.monotonic()
        if now - self._saved_at < (ASK_EVERY if self.unread else SAVE_EVERY):
            return None
        if self.unread:
            self._saved_at = now
            return Due.ASK
        return Due.SAVE if self._has_learned else None

    @property
    def _has_learned(self) -> bool:
        """Enough to keep it."""
        pipeline = self._source.pipeline
        lived = pipeline.room.heard - self._saved_room.heard
        return self._saved is not pipeline.decider.baseline or lived >= ROOM_SAVED_EVERY

    def _note_saved(self) -> None:
        self._saved, self._saved_room = self._source.pipeline.decider.baseline, self._source.pipeline.room
        self._saved_at = self._clock.monotonic()
