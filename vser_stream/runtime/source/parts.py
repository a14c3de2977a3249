"""What one source is made of, and what all of them share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.config.schema import PublishConfig
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.technical_condition import Condition
from vser_stream.core.wire.numbering import Reporter
from vser_stream.core.wire.source_snapshot import Remembered
from vser_stream.ports import Clock, Store
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.source.capture import Capture

__all__ = ["Archive", "Shared", "SharedConditions", "Source"]


class Archive(Protocol):
    """What an earlier listener of a source has left."""

    async def recall(self, source: str) -> Remembered | None:
        """Return it; None where the disk does not answer, and it may be asked again later."""
        ...

    def document(self, kept: Remembered) -> bytes:
        """In the form in which it is kept."""
        ...


class SharedConditions(Protocol):
    """What is wrong with more than one source."""

    def of(self, source: str) -> Iterable[Condition]:
        """What of it concerns a source."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where the audio of one source comes from, and what is made of it."""

    capture: Capture
    pipeline: Pipeline
    """Fresh; changed on the scoring thread only."""

    reporter: Reporter
    """Numbers its alerts."""

    @property
    def name(self) -> str:
        """Of the source."""
        return self.reporter.source


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What all sources of an agent share."""

    store: Store
    """Has what they tell delivered, and keeps what must survive a restart."""

    archive: Archive
    scorer: Executor
    """One thread for all scoring, so that the event loop stays free."""

    conditions: SharedConditions
    publish: PublishConfig
    metrics: Metrics
    escalation: Escalation | None = None
    """Where what is ambiguous goes; None to let the SVM decide."""

    heard_changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when one of them may be heard that was not, or no longer."""

    clock: Clock = SYSTEM_CLOCK
