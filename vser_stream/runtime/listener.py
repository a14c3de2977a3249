"""One source in the daemon: its capture, its pipeline, and what it tells subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial

from vser_stream.core.alarm import Transition
from vser_stream.core.capture_state import CaptureState, Patience
from vser_stream.core.condition import Condition, ConditionName
from vser_stream.core.messages import (
    Health,
    State,
    changes_of,
    conditions_of,
    message_of,
    utc,
    utterance_of,
)
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.report import Reporter
from vser_stream.core.sanity import SignalWatch
from vser_stream.errors import VserError
from vser_stream.ports import AudioSource
from vser_stream.runtime.capture import Capture
from vser_stream.runtime.containment import contained
from vser_stream.values import Block, Cut, Decision, Label, Message, SegmentKind

__all__ = ["Listener", "new_id"]

DRIFT = 5000.0
"""No sound card or camera is that far off: its sampling rate is not what it says (ppm)."""

UNHEARD = 5.0
"""Time between two health messages of a source that is not heard (s)."""

TOLD = 8
"""Changes of capture in a health document."""

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
        on_capture: Called when :attr:`heard` may have changed.
        on_learned: Called on ``scorer`` when the calm baseline has moved.
        publish_utterances: Tell each judged utterance too.
        patience: With outages.
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
        on_capture: Callable[[], Awaitable[None]],
        on_learned: Callable[[], None],
        publish_utterances: bool,
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self._site = site
        self._pipeline, self._reporter = pipeline, reporter
        self._scorer = scorer
        self._put, self._on_capture, self._on_learned = put, on_capture, on_learned
        self._publish_utterances = publish_utterances
        self._changed = asyncio.Event()
        self._watch = SignalWatch()
        self._known: tuple[Condition, ...] = ()
        self.capture = Capture(name, source, on_change=self._changed.set, patience=patience)
        self._label: Label | None = None
        self._utterances = self._rejected = self._raised = 0

    async def run(self) -> None:
        """Listen; returns when a recording has ended or after :meth:`stop`."""
        silent = True
        async for block in self.capture.blocks():
            if silent is not (block is None):
                silent = block is None
                await self._on_capture()
            await self._tell(await self._score(block))
            self._note_conditions()
        await self._tell(await self._score(None))
        await self._put(message_of(self.health(), new_id()))

    async def watch(self, every: float) -> None:
        """Publish health every so many seconds, and at once when something changes; never ends."""
        while True:
            self._note_conditions()
            self._changed.clear()
            await self._put(message_of(self.health(), new_id()))
            await self._on_capture()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), every if self.heard else min(every, UNHEARD))

    def stop(self) -> None:
        """Let :meth:`run` end."""
        self.capture.stop()

    def retry(self) -> None:
        """Try now whatever waits for its next attempt."""
        self.capture.retry()

    @property
    def heard(self) -> bool | None:
        """Whether the source is really heard; None where it need not be any more."""
        if self.capture.state is CaptureState.IDLE:
            return None
        return self.capture.last_block_at is not None and self.capture.deaf_since is None

    def conditions(self) -> tuple[Condition, ...]:
        """What is technically wrong with the source now."""
        found = list(self._watch.conditions)
        if (since := self.capture.deaf_since) is not None:
            reason = self.capture.reason or "being opened"
            found.insert(0, Condition(ConditionName.CAPTURE_LOST, "medium", since, reason))
        if abs(drift := self.capture.drift_ppm or 0.0) >= DRIFT:
            words = f"the source counts {drift / 1e4:+.1f} % against the clock; correct its sampling rate"
            known = (one.since for one in self._known if one.name is ConditionName.SAMPLE_CLOCK)
            found.append(Condition(ConditionName.SAMPLE_CLOCK, "low", next(known, time.time()), words))
        return tuple(found)

    def state(self) -> State:
        """Current alarm condition."""
        return self._reporter.state(self._pipeline.alarm, label=self._label, updated_at=time.time())

    def health(self) -> Health:
        """Whether the source is heard, and how well."""
        age, level, drift = self.capture.age, self._pipeline.level_db, self.capture.drift_ppm
        signal = self._watch.signal
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
            conditions=conditions_of(self.conditions()),
            conditions_raised=self._raised,
            transitions=changes_of(list(self.capture.transitions)[-TOLD:]),
            outages=self.capture.outages,
            lost_samples=self.capture.lost,
            overruns=self.capture.overruns,
            drift_ppm=None if drift is None else round(drift, 1),
            abandoned_readers=self.capture.abandoned,
            clipped=None if signal is None else round(signal.clipped, 4),
            hum=None if signal is None else round(signal.hum, 4),
        )

    def _note_conditions(self) -> None:
        """Log and publish what has become wrong or right."""
        known, now = {one.name for one in self._known}, self.conditions()
        for condition in now:
            if condition.name not in known:
                self._raised += 1
                _log.warning("%s: source=%s: %s", condition.name, self.name, condition.reason)
        for name in known - {one.name for one in now}:
            _log.warning("%s is over: source=%s", name, self.name)
        if known != {one.name for one in now}:
            self._changed.set()
        self._known = now

    async def _score(self, block: Block | None) -> list[Outcome]:
        judge = partial(contained, partial(self._judge, block), source=self.name)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._scorer, judge)
        except VserError as exc:
            self.capture.interrupt(str(exc))
            return []

    def _judge(self, block: Block | None) -> list[Outcome]:
        """On the scoring thread: a block, or the end of what was audible."""
        known = self._pipeline.decider.baseline
        if block is not None:
            self._watch.feed(block)
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
