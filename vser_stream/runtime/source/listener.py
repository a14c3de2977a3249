"""One source in the daemon: its capture, its pipeline, and what it tells subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Protocol

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.core.alarm.cusum import URGENT_FIRST
from vser_stream.core.alarm.room_adaptation import Room, judged
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.audio.capture_state import CaptureState, Patience
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.documents import (
    Health,
    State,
    changes_of,
    conditions_of,
    health_lasts,
    judgement_of,
    message_of,
    thresholds_told,
    utc,
    utterance_of,
)
from vser_stream.core.wire.numbering import Reporter
from vser_stream.core.wire.source_snapshot import Remembered, remember
from vser_stream.errors import CommandError, VserError
from vser_stream.ports import AudioSource, Clock
from vser_stream.runtime.containment import contained
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.reasoning.weighing import Weighing
from vser_stream.runtime.source.capture import Capture
from vser_stream.values import (
    RATE,
    Block,
    Cut,
    Decision,
    Memory,
    Message,
    Record,
    SegmentKind,
)

__all__ = ["Listener", "new_id"]

DRIFT = 5000.0
"""No sound card or camera is that far off: its sampling rate is not what it says (ppm)."""

UNHEARD = 5.0
"""Time between two health messages of a source that is not heard (s)."""

TOLD = 8
"""Changes of capture in a health document."""

NEWS = 0.1
"""A change of confidence that subscribers to the state should see."""

ATTEND_EVERY = 1.0
"""Between two looks at the clock while there is no audio to tell the time (s)."""

GOOD_NEWS = {AlarmEvent.ACKNOWLEDGED, AlarmEvent.AMENDED, AlarmEvent.CLEARED, AlarmEvent.SUPPRESSED}
"""Of an alarm; nobody has to do anything."""

SAVE_EVERY = 300.0
"""Between two commits for what was learned alone: a minute of calm talk is some ten utterances, each moves
the baseline, and each commit costs a flash card a few pages (s)."""

ROOM_SAVED_EVERY = 1 / 24
"""Heard time between two commits for what was learned of the room alone (d)."""

ASK_EVERY = 10.0
"""Between two attempts to learn what is kept, where the disk did not answer at the start (s)."""

OVERHEARD = 300
"""Blocks that wait for somebody who listens in, about 30 s of audio."""

_log = logging.getLogger(__name__)


def new_id() -> str:
    """A random id."""
    return uuid.uuid4().hex


class Commit(Protocol):
    """Keeps messages, what a source must know after a restart, and the evidence in one transaction."""

    async def __call__(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Return once all are kept, on the disk or, where that fails, in memory."""
        ...


class Listener:
    """Listens to one source until it ends or is stopped.

    Args:
        site: Of the agent.
        name: Of the source.
        source: Where its audio comes from.
        pipeline: Fresh; used on ``scorer`` only.
        reporter: Numbers its alerts.
        recall: Asks, when an earlier listener has ended, what it has left; None where the disk does not
            answer, and it is asked again later.
        features: Digest of those the baseline is of.
        scorer: One thread for all scoring, so that the event loop stays free.
        commit: Hands over messages with what must be kept beside them, all or nothing.
        on_capture: Called when :attr:`heard` may have changed.
        metrics: Counts what is heard and decided.
        publish_utterances: Tell each judged utterance too.
        health_every: Time between two health messages (s).
        escalation: Where what is ambiguous goes; None to let the SVM decide.
        besides: What is wrong with it elsewhere than here.
        patience: With outages.
        clock: What time it is.
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
        commit: Commit,
        on_capture: Callable[[], Awaitable[None]],
        metrics: Metrics,
        publish_utterances: bool,
        recall: Callable[[], Awaitable[Remembered | None]],
        features: str,
        health_every: float,
        escalation: Escalation | None = None,
        besides: Callable[[], Iterable[Condition]] = tuple,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self._site = site
        self._pipeline, self._reporter = pipeline, reporter
        self._scorer, self._recall, self._features = scorer, recall, features
        self._commit = commit
        self._on_capture, self._clock = on_capture, clock
        self._metrics = metrics
        metrics.expect(name, levels=URGENT_FIRST, events=AlarmEvent)
        self._publish_utterances = publish_utterances
        self._health_every = health_every
        self._second = Weighing(escalation, self.amend)
        self._weighing: set[asyncio.Task[None]] = set()
        self._besides = besides
        self._turn = asyncio.Lock()
        self._begun = asyncio.Event()
        self._unread = True
        self._saved, self._saved_at = pipeline.decider.baseline, self._clock.monotonic()
        self._room_saved = pipeline.room
        self._overhearing: set[asyncio.Queue[Block | None]] = set()
        self._known: tuple[Condition, ...] = ()
        self.capture = Capture(name, source, patience=patience)
        self._changed = self.capture.changed
        self._last: Decision | None = None
        self._told: State | None = None
        self._paused = pipeline.alarm.pause
        self._utterances = self._rejected = self._raised = 0

    async def run(self) -> None:
        """Listen; returns when a recording has ended or after :meth:`stop`."""
        await self._begin()
        silent = True
        async for block in self.capture.blocks():
            if silent is not (block is None):
                silent = block is None
                await self._on_capture()
            self._pass_on(block)
            async with self._turn:
                await self._tell(await self._score(block))
                await self._save_learned()
            self._note_conditions()
        for overhearing in self._overhearing:
            _offer(overhearing, None)
        async with self._turn:
            await self._tell(await self._score(None))
        await asyncio.gather(*self._weighing)
        async with self._turn:  # whoever changes the alarm just now tells it first
            await self._commit((message_of(self.health(), new_id()),), memory=self._memory())

    async def watch(self) -> None:
        """Publish health every so often, and at once when something changes; never ends."""
        await self._begun.wait()
        every = self._health_every
        while True:
            self._note_conditions()
            self._changed.clear()
            await self._commit((message_of(self.health(), new_id()),))
            await self._on_capture()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every if self.heard else min(every, UNHEARD)):
                    await self._changed.wait()

    async def attend(self) -> None:
        """Let time pass for the alarm while nothing is heard; never ends."""
        while True:
            await asyncio.sleep(ATTEND_EVERY)
            if not self.heard:
                await self._on_alarm(partial(self._pipeline.wait, self._clock.wall()))

    async def amend(self, decision: Decision) -> tuple[Transition, ...]:
        """Publish what a second verdict on an utterance changes."""
        outcomes = await self._on_alarm(partial(self._pipeline.amend, decision, self._clock.wall()))
        return tuple(outcome.what for outcome in outcomes if isinstance(outcome.what, Transition))

    async def acknowledge(self, *, by: str, alert_id: str, seq: int | None = None) -> None:
        """Somebody takes care of the open alarm, as far as they have seen it.

        Args:
            by: Who.
            alert_id: Of the alarm they have seen.
            seq: Of the latest they have seen of it; None for the latest there is.

        Raises:
            CommandError: It is another one by now, or none waits for it.
        """

        def work() -> list[Outcome]:
            if why := self._reporter.unseen(self._pipeline.alarm, alert_id=alert_id, seq=seq):
                raise CommandError(why)
            return self._pipeline.acknowledge(self._clock.wall(), by=by)

        await self._on_alarm(work)

    async def pause(self, *, for_s: float, by: str) -> None:
        """Raise nothing below panic for a while, and say so."""
        await self._on_alarm(partial(self._pipeline.pause, self._clock.wall(), for_s=for_s, by=by))

    async def resume(self) -> bool:
        """End a pause; False if there is none."""
        paused = False

        def work() -> list[Outcome]:
            nonlocal paused
            paused = self._pipeline.alarm.pause is not None
            return self._pipeline.resume(self._clock.wall())

        await self._on_alarm(work)
        return paused

    async def confirm(self, alert_id: str, *, right: bool) -> None:
        """Somebody says whether an alarm was right; one that was not is what the room is like by itself."""
        await self._begun.wait()
        async with self._turn:
            self._pipeline.room = judged(self._pipeline.room, alert_id, true=right)
            await self._commit((), memory=self._memory())

    async def learn(self, baseline: Baseline | None) -> None:
        """Replace what is known of the calm voice here, between two blocks, and keep that.

        Args:
            baseline: None to forget it and what the room is like, and begin with the population's.

        Raises:
            CommandError: The disk has not told yet what is known; nothing was changed.
        """
        await self._begun.wait()
        async with self._turn:
            if self._unread:
                raise CommandError("the disk does not answer; check it for errors, and try again")
            self._pipeline.decider.start_from(baseline)
            if baseline is None:
                self._pipeline.room = Room()
            await self._commit((), memory=self._memory())

    async def listen_in(self) -> AsyncGenerator[Block]:
        """Yield the blocks of this source as they come, until it ends; close it (``contextlib.aclosing``).

        Whoever is slower than the source loses the oldest ones, and sees the jump in their positions.
        """
        blocks: asyncio.Queue[Block | None] = asyncio.Queue(OVERHEARD)
        self._overhearing.add(blocks)
        try:
            while (block := await blocks.get()) is not None:
                yield block
        finally:
            self._overhearing.discard(blocks)

    def stop(self) -> None:
        """Let :meth:`run` end."""
        self.capture.stop()

    def retry(self) -> None:
        """Try now whatever waits for its next attempt."""
        self.capture.retry()

    @property
    def begun(self) -> bool:
        """Whether it knows what an earlier listener has left: before, its state says nothing."""
        return self._begun.is_set()

    @property
    def heard(self) -> bool | None:
        """Whether the source is really heard; None where it need not be any more."""
        if self.capture.state is CaptureState.IDLE:
            return None if self.begun else False
        return self.capture.last_block_at is not None and self.capture.deaf_since is None

    @property
    def overdue(self) -> float:
        """Time since something was to happen here that did not (s)."""
        return self.capture.overdue

    def conditions(self) -> tuple[Condition, ...]:
        """What is technically wrong with the source now, and what else is to be told of its room."""
        found = [*self._pipeline.signal.conditions, *self._besides(), *self._pipeline.conditions()]
        if (since := self.capture.deaf_since) is not None:
            reason = self.capture.reason or "being opened"
            found.insert(0, Condition(ConditionName.CAPTURE_LOST, "medium", since, reason))
        if abs(drift := self.capture.drift_ppm or 0.0) >= DRIFT:
            words = (
                f"its sample clock is {drift / 1e4:+.1f} % off real time; correct its sampling rate, "
                "and check its network for losses"
            )
            known = (one.since for one in self._known if one.name is ConditionName.SAMPLE_CLOCK)
            found.append(Condition(ConditionName.SAMPLE_CLOCK, "low", next(known, self._clock.wall()), words))
        return tuple(found)

    def state(self) -> State:
        """Current alarm condition."""
        last = self._last
        state = self._reporter.state(
            self._pipeline.alarm, label=None if last is None else last.label, updated_at=self._clock.wall()
        )
        return state if last is None else state.model_copy(update=judgement_of(last))

    def health(self) -> Health:
        """Whether the source is heard, and how well."""
        age, level, drift = self.capture.age, self._pipeline.level_db, self.capture.drift_ppm
        signal, now = self._pipeline.signal.signal, self._clock.wall()
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
            updated_at=utc(now),
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
            signal=self._pipeline.alarm.signal,
            expires_at=utc(now + health_lasts(self._health_every)),
            thresholds=thresholds_told(self._pipeline.thresholds()),
        )

    def _note_conditions(self) -> None:
        """Log and publish what has become wrong or right."""
        known, now = {one.name for one in self._known}, self.conditions()
        for condition in now:
            if condition.name not in known:
                self._raised += 1
                _log.warning("%s: source=%s: %s", condition.name, self.name, condition.reason)
        for name in known - {one.name for one in now}:
            _log.info("%s resolved: source=%s", name, self.name)
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
        began = self._clock.monotonic()
        outcomes = self._pipeline.flush(Cut.GAP) if block is None else self._pipeline.feed(block)
        self._metrics.scored(
            self.name,
            audio=0.0 if block is None else len(block.pcm) / RATE,
            work=self._clock.monotonic() - began,
            decided=any(isinstance(outcome.what, Decision) for outcome in outcomes),
        )
        return outcomes

    async def _begin(self) -> None:
        """Go on where an earlier listener has ended, and let commands in."""
        async with self._turn:
            await self._go_on()
        self._begun.set()

    async def _go_on(self) -> None:
        await self._remember_earlier()
        await self._commit((self._state_message(),))

    async def _remember_earlier(self) -> None:
        """Take what an earlier listener has left; what was told since stays, if the disk answered late."""
        earlier = await self._recall()
        if earlier is None:
            return
        self._unread = False
        told, alarm = self._reporter.story, self._pipeline.alarm
        if told.seq == 0 and alarm.pause is None:
            self._reporter.story = earlier.story
            self._pipeline.alarm = replace(earlier.alarm, votes=alarm.votes)
            self._paused = earlier.alarm.pause
        else:
            self._reporter.story = replace(told, seq=max(told.seq, earlier.story.seq))
        self._pipeline.room = earlier.alarm.room
        self._room_saved = self._pipeline.room
        if earlier.baseline is not None:
            self._pipeline.decider.start_from(earlier.baseline)
        self._saved = self._pipeline.decider.baseline

    def _memory(self) -> Memory | None:
        """What an agent must know after a restart; None as long as it would replace what nobody has read."""
        if self._unread:
            return None
        self._saved, self._saved_at = self._pipeline.decider.baseline, self._clock.monotonic()
        self._room_saved = self._pipeline.room
        moved = self._saved if self._saved.count else None
        kept = Remembered(self._pipeline.alarm, self._reporter.story, moved)
        return Memory(self.name, remember(kept, features=self._features))

    async def _save_learned(self) -> None:
        """Now and then keep what was learned, and ask again for what could not be read."""
        if self._clock.monotonic() - self._saved_at < (ASK_EVERY if self._unread else SAVE_EVERY):
            return
        if self._unread:
            self._saved_at = self._clock.monotonic()
            await self._go_on()
        elif self._has_learned:
            await self._commit((), memory=self._memory())

    @property
    def _has_learned(self) -> bool:
        """Enough to keep it."""
        lived = self._pipeline.room.heard - self._room_saved.heard
        return self._saved is not self._pipeline.decider.baseline or lived >= ROOM_SAVED_EVERY

    def _pass_on(self, block: Block | None) -> None:
        """To whoever listens in; an interruption shows in the positions of the blocks."""
        if block is not None:
            for overhearing in self._overhearing:
                _offer(overhearing, block)

    async def _tell(self, outcomes: list[Outcome]) -> None:
        """All alerts of one look are kept together, or a restart between two would lose the second."""
        told = [self._alert(each.what) for each in outcomes if isinstance(each.what, Transition)]
        if told:
            self._changed.set()  # health tells the signal, too
        if told or self._paused != self._pipeline.alarm.pause:
            self._paused = self._pipeline.alarm.pause
            messages = [message for message, _ in told] + [self._state_message()]
            records = [record for _, record in told if record is not None]
            await self._commit(messages, memory=self._memory(), records=records)
        for outcome in outcomes:
            match outcome.what:
                case Decision() as decision if decision.segment.kind is SegmentKind.UTTERANCE:
                    await self._judged(decision)
                case Rejected(reason=reason):
                    self._rejected += 1
                    self._metrics.rejected(self.name)
                    _log.debug("utterance not classified: source=%s reason=%s", self.name, reason)
                case _:
                    pass

    def _alert(self, transition: Transition) -> tuple[Message, Record | None]:
        """The document of a transition, and what it rests on; a restored decision was recorded before."""
        if transition.heard:
            self._note(transition.decision)  # the state that goes with the alert says the same
        alert = self._reporter.alert(transition, published_at=self._clock.wall())
        self._pipeline.alerted(transition, alert.alert_id)
        _log.log(
            logging.INFO if transition.event in GOOD_NEWS else logging.WARNING,
            "alarm %s: source=%s level=%s reason=%s",
            alert.event,
            self.name,
            transition.level,
            alert.reason,
        )
        self._metrics.alarm(self.name, level=transition.level, event=alert.event)
        if transition.decision.rows is None:
            return message_of(alert, alert.id), None
        record = record_of(
            transition.decision,
            site=self._site,
            source=self.name,
            versions=alert.versions,
            alert_id=alert.alert_id,
            event=alert.event,
            reason=alert.reason,
            recorded_at=alert.published_at.timestamp(),
        )
        return message_of(alert, alert.id), record

    def _note(self, decision: Decision) -> None:
        """Remember the latest voice that was judged; a reasoner takes its time."""
        if self._last is None or self._last.segment.heard_at <= decision.segment.heard_at:
            self._last = decision

    def _state_message(self) -> Message:
        self._told = self.state()
        return message_of(self._told, new_id())

    async def _on_alarm(self, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Change the alarm on the scoring thread, and tell it before anything else may change it."""
        await self._begun.wait()
        async with self._turn:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._scorer, work)
            await self._tell(outcomes)
        return outcomes

    async def _judged(self, decision: Decision) -> None:
        """The alarm has heard the SVM already; what is ambiguous is weighed while listening goes on."""
        settle = self._second.begin(decision)
        if settle is None:
            await self._utterance(decision)
            return
        weighing = asyncio.create_task(self._settle(settle), name=f"weigh {self.name}")
        self._weighing.add(weighing)
        weighing.add_done_callback(self._weighing.discard)

    async def _settle(self, settle: Callable[[], Awaitable[Decision]]) -> None:
        await self._utterance(await settle())

    async def _utterance(self, decision: Decision) -> None:
        self._utterances += 1
        self._metrics.utterance(self.name, decision)
        self._note(decision)
        if _is_news(self._told, self.state()):
            await self._commit((self._state_message(),))
        if self._publish_utterances:
            document = utterance_of(decision, site=self._site, source=self.name)
            await self._commit((message_of(document, new_id()),))


def _offer(blocks: asyncio.Queue[Block | None], block: Block | None) -> None:
    if blocks.full():
        blocks.get_nowait()
    blocks.put_nowait(block)


def _is_news(told: State | None, now: State) -> bool:
    """Whether the latest voice sounds noticeably unlike what the state last said."""
    if told is None or told.label is not now.label:
        return True
    return abs((told.confidence or 0.0) - (now.confidence or 0.0)) >= NEWS
