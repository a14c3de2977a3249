"""Recordings through the pipeline of the daemon, faster than real time and without commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from vser_stream.adapters.system.clock import RecordingClock
from vser_stream.core.alarm.state import Transition
from vser_stream.core.pipeline import Outcome, Pipeline
from vser_stream.core.wire.documents import Alert
from vser_stream.core.wire.numbering import Reporter
from vser_stream.ports import AudioSource
from vser_stream.runtime.build import Engine
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.reasoning.weighing import Settle, Weighing
from vser_stream.values import RATE, Decision, SegmentKind

__all__ = ["Replay"]


class Replay:
    """Plays one recording after the other; an async context manager.

    What is ambiguous is weighed before more is heard, within the deadline a live source has. So what comes
    out does not depend on how long a reasoner takes, as long as it answers in time.

    Args:
        engine: What judges; its reasoner is ready, and is let go on leaving.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._clock = engine, RecordingClock()
        self.escalation = engine.escalation(clock=self._clock)
        """Where the ambiguous go; None where the SVM decides them."""

    async def __aenter__(self) -> Self:
        if self.escalation is not None:
            self._recovering = asyncio.create_task(self.escalation.run(), name="reasoner")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.escalation is not None:
            self._recovering.cancel()
            self.escalation.close()

    async def play(
        self, recording: AudioSource, reporter: Reporter
    ) -> AsyncIterator[tuple[Outcome, Alert | None]]:
        """Yield what comes of a recording, in order, a change of the alarm with its alert.

        Args:
            recording: To be judged; its times are those of the alerts.
            reporter: Numbers its alerts.

        Raises:
            AudioError: It cannot be read.
        """
        # Nobody acknowledges anything in a recording.
        pipeline = self._engine.pipeline(self._engine.config.alarm.unattended)
        settling = _Settling(pipeline, self.escalation)
        async for outcome in self._heard(recording, pipeline, settling):
            alert = None
            if isinstance(outcome.what, Transition):
                alert = reporter.alert(outcome.what, published_at=outcome.now)
                pipeline.alerted(outcome.what, alert.alert_id)
            yield outcome, alert

    async def _heard(
        self, recording: AudioSource, pipeline: Pipeline, settling: _Settling
    ) -> AsyncIterator[Outcome]:
        for block in recording.blocks(lambda: False):
            self._clock.heard(block.heard_at + len(block.pcm) / RATE)
            async for outcome in settling.settled(pipeline.feed(block)):
                yield outcome
        async for outcome in settling.settled(pipeline.flush()):
            yield outcome


class _Settling:
    """Second verdicts on one recording, each after all that came without it."""

    def __init__(self, pipeline: Pipeline, escalation: Escalation | None) -> None:
        self._pipeline = pipeline
        self._weighing = Weighing(escalation)
        self._now = 0.0
        self._amended: list[Outcome] = []

    async def settled(self, outcomes: list[Outcome]) -> AsyncIterator[Outcome]:
        second: list[Outcome] = []
        for outcome in outcomes:
            if (settle := self._begin(outcome)) is None:
                yield outcome
                continue
            self._now, self._amended = outcome.now, []
            settled = replace(outcome, what=await settle(self._amend))
            second += [*self._amended, settled]
        for outcome in second:
            yield outcome

    def _begin(self, outcome: Outcome) -> Settle | None:
        match outcome.what:
            case Decision() as decision if decision.segment.kind is SegmentKind.UTTERANCE:
                return self._weighing.begin(decision)
            case _:
                return None

    async def _amend(self, decision: Decision) -> None:
        self._amended += self._pipeline.amend(decision, self._now)
