"""One source in the daemon: its capture, its pipeline, and what it tells subscribers."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from vser_stream.core.alarm import Transition
from vser_stream.core.messages import Health, State, message_of, utc, utterance_of
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.report import Reporter
from vser_stream.ports import AudioSource
from vser_stream.runtime.capture import Capture
from vser_stream.values import Block, Cut, Decision, Label, Message, SegmentKind

__all__ = ["Listener", "new_id"]

_log = logging.getLogger(__name__)


def new_id() -> str:
    """A random id."""
    return uuid.uuid4().hex


class Listener:
    """Listens to one source until it ends or is stopped.

    Args:
        site: Of the agent.
        name: Of the source.
        source: Where its audio comes from.
        pipeline: Fresh; used on ``scorer`` only.
        reporter: Numbers its alerts.
        scorer: One thread for all scoring, so that the event loop stays free.
        put: Hands a message to delivery.
        on_heard: Called with the first block: the source is really heard.
        on_learned: Called on ``scorer`` when the calm baseline has moved.
        publish_utterances: Tell each judged utterance too.
    """

    def __init__(
        self,
        *,
        site: str,
        name: str,
        source: AudioSource,
        pipeline: Pipeline,
        reporter: Reporter,
        scorer: Executor,
        put: Callable[[Message], Awaitable[None]],
        on_heard: Callable[[], Awaitable[None]],
        on_learned: Callable[[], None],
        publish_utterances: bool,
    ) -> None:
        self.name = name
        self._site = site
        self._pipeline, self._reporter = pipeline, reporter
        self._scorer = scorer
        self._put, self._on_heard, self._on_learned = put, on_heard, on_learned
        self._publish_utterances = publish_utterances
        self._changed = asyncio.Event()
        self.capture = Capture(name, source, on_change=self._changed.set)
        self._label: Label | None = None
        self._utterances = self._rejected = 0

    async def run(self) -> None:
        """Listen; returns when a recording has ended or after :meth:`stop`."""
        first = True
        async for block in self.capture.blocks():
            if block is not None and first:
                first = False
                await self._on_heard()
            await self._tell(await self._score(block))
        await self._tell(await self._score(None))
        await self._put(message_of(self.health(), new_id()))

    async def watch(self, every: float) -> None:
        """Publish health every so many seconds, and at once when capture changes; never ends."""
        while True:
            await self._put(message_of(self.health(), new_id()))
            try:
                await asyncio.wait_for(self._changed.wait(), every)
            except TimeoutError:
                continue
            self._changed.clear()

    def stop(self) -> None:
        """Let :meth:`run` end."""
        self.capture.stop()

    def state(self) -> State:
        """Current alarm condition."""
        return self._reporter.state(self._pipeline.alarm, label=self._label, updated_at=time.time())

    def health(self) -> Health:
        """Whether the source is heard, and how well."""
        age, level = self.capture.age, self._pipeline.level_db
        return Health(
            site=self._site,
            source=self.name,
            capture=self.capture.state,
            reason=self.capture.reason,
            last_sample_age_s=None if age is None else round(age, 3),
            level_db=None if level is None else round(level, 1),
            floor_db=None if level is None else round(self._pipeline.floor_db, 1),
            restarts=self.capture.restarts,
            gaps=self._pipeline.gaps,
            dropped_blocks=self.capture.dropped,
            utterances=self._utterances,
            rejected=self._rejected,
            baseline_utterances=int(self._pipeline.decider.baseline.count),
            updated_at=utc(time.time()),
        )

    async def _score(self, block: Block | None) -> list[Outcome]:
        return await asyncio.get_running_loop().run_in_executor(self._scorer, self._judge, block)

    def _judge(self, block: Block | None) -> list[Outcome]:
        """On the scoring thread: a block, or the end of what was audible."""
        known = self._pipeline.decider.baseline
        outcomes = self._pipeline.flush(Cut.GAP) if block is None else self._pipeline.feed(block)
        if self._pipeline.decider.baseline is not known:
            self._on_learned()
        return outcomes

    async def _tell(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome.what:
                case Transition() as transition:
                    await self._alert(transition)
                case Decision() as decision if decision.segment.kind is SegmentKind.UTTERANCE:
                    await self._utterance(decision)
                case Rejected(reason=reason):
                    self._rejected += 1
                    _log.info("utterance not judged: source=%s reason=%s", self.name, reason)
                case _:
                    pass

    async def _alert(self, transition: Transition) -> None:
        alert = self._reporter.alert(transition, published_at=time.time())
        _log.warning(
            "alarm %s: source=%s level=%s reason=%s", alert.event, self.name, transition.level, alert.reason
        )
        await self._put(message_of(alert, alert.id))
        await self._put(message_of(self.state(), new_id()))

    async def _utterance(self, decision: Decision) -> None:
        self._utterances += 1
        self._label = decision.label
        if self._publish_utterances:
            document = utterance_of(decision, site=self._site, source=self.name)
            await self._put(message_of(document, new_id()))
