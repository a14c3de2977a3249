"""One source in the daemon: its capture, its pipeline, and what follows from their outcomes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from functools import partial

from vser_stream.core.alarm.cusum import URGENT_FIRST
from vser_stream.core.alarm.room_adaptation import Room, judged
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.pipeline import Outcome, Rejected
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.wire.documents import Health, State
from vser_stream.errors import CommandError, VserError
from vser_stream.runtime.reasoning.weighing import Settle, Weighing
from vser_stream.runtime.source.broadcast import Broadcast
from vser_stream.runtime.source.conditions import SourceConditions
from vser_stream.runtime.source.documents import Announced, Documents
from vser_stream.runtime.source.parts import Shared, Source
from vser_stream.runtime.source.recollection import Due, Recollection
from vser_stream.runtime.source.scoring import Scoring
from vser_stream.values import Block, Decision, SegmentKind

__all__ = ["Listener"]

UNHEARD = 5.0
"""Time between two health messages of a source that is not heard (s)."""

ATTEND_EVERY = 1.0
"""Between two looks at the clock while there is no audio to tell the time (s)."""

GOOD_NEWS = {AlarmEvent.ACKNOWLEDGED, AlarmEvent.AMENDED, AlarmEvent.CLEARED, AlarmEvent.SUPPRESSED}
"""Of an alarm; nobody has to do anything."""

_log = logging.getLogger(__name__)


class Listener:
    """Listens to one source until it ends or is stopped.

    Whatever changes its alarm takes a turn: it works on the scoring thread, and what comes of it is
    kept before anything else may change the alarm.

    Args:
        source: Which.
        shared: What it shares with all others.
    """

    def __init__(self, source: Source, shared: Shared) -> None:
        clock = shared.clock
        self.name, self.capture = source.name, source.capture
        self._pipeline, self._reporter = source.pipeline, source.reporter
        self._shared, self._clock = shared, clock
        self._scoring = Scoring(source, shared.scorer, metrics=shared.metrics, clock=clock)
        self._conditions = SourceConditions(source, shared.conditions, clock=clock)
        self._documents = Documents(source, self._conditions, publish=shared.publish, clock=clock)
        self._recollection = Recollection(source, shared.archive, clock=clock)
        self._broadcast = Broadcast()
        self._second = Weighing(shared.escalation)
        self._weighing: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._begun = asyncio.Event()
        self._paused = source.pipeline.alarm.pause
        shared.metrics.expect(self.name, levels=URGENT_FIRST, events=AlarmEvent)

    async def run(self) -> None:
        """Listen; returns when a recording has ended or after :meth:`stop`."""
        async with self._turn:
            await self._go_on()
        self._begun.set()
        silent = True
        async for block in self.capture.blocks():
            if silent is not (block is None):
                silent = block is None
                self._shared.heard_changed.set()
            if block is not None:
                self._broadcast.send(block)
            async with self._turn:
                await self._tell(await self._hear(block))
                await self._save_learned()
            self._note_conditions()
        self._broadcast.end()
        async with self._turn:
            await self._tell(await self._hear(None))
        await asyncio.gather(*self._weighing)
        async with self._turn:  # whoever changes the alarm just now tells it first
            await self._shared.store.commit(
                (self._documents.health_message(),), memory=self._recollection.memory()
            )

    async def watch(self) -> None:
        """Publish health every so often, and at once when something changes; never ends."""
        await self._begun.wait()
        every, changed = self._shared.publish.health_every, self.capture.changed
        while True:
            self._note_conditions()
            changed.clear()
            await self._shared.store.commit((self._documents.health_message(),))
            self._shared.heard_changed.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every if self.heard else min(every, UNHEARD)):
                    await changed.wait()

    async def attend(self) -> None:
        """Let time pass for the alarm while nothing is heard; never ends."""
        while True:
            await asyncio.sleep(ATTEND_EVERY)
            if not self.heard:
                await self._change(partial(self._pipeline.wait, self._clock.wall()))

    async def amend(self, decision: Decision) -> tuple[Transition, ...]:
        """Publish what a second verdict on an utterance changes."""
        outcomes = await self._change(partial(self._pipeline.amend, decision, self._clock.wall()))
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

        await self._change(work)

    async def pause(self, *, for_s: float, by: str) -> None:
        """Raise nothing below panic for a while, and say so."""
        await self._change(partial(self._pipeline.pause, self._clock.wall(), for_s=for_s, by=by))

    async def resume(self) -> bool:
        """End a pause; False if there is none."""
        paused = False

        def work() -> list[Outcome]:
            nonlocal paused
            paused = self._pipeline.alarm.pause is not None
            return self._pipeline.resume(self._clock.wall())

        await self._change(work)
        return paused

    async def confirm(self, alert_id: str, *, right: bool) -> None:
        """Somebody says whether an alarm was right; one that was not is what the room is like by itself."""
        await self._begun.wait()
        async with self._turn:
            self._pipeline.room = judged(self._pipeline.room, alert_id, true=right)
            await self._save()

    async def learn(self, baseline: Baseline | None) -> None:
        """Replace what is known of the calm voice here, between two blocks, and keep that.

        Args:
            baseline: None to forget it and what the room is like, and begin with the population's.

        Raises:
            CommandError: The disk has not told yet what is known; nothing was changed.
        """
        await self._begun.wait()
        async with self._turn:
            if self._recollection.unread:
                raise CommandError("the disk does not answer; check it for errors, and try again")
            self._pipeline.decider.start_from(baseline)
            if baseline is None:
                self._pipeline.room = Room()
            await self._save()

    def listen_in(self) -> AsyncGenerator[Block]:
        """Yield the blocks of this source as they come; see :meth:`Broadcast.blocks`."""
        return self._broadcast.blocks()

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

    def state(self) -> State:
        """Current alarm condition."""
        return self._documents.state()

    def health(self) -> Health:
        """Whether the source is heard, and how well."""
        return self._documents.health()

    def _note_conditions(self) -> None:
        if self._conditions.note():
            self.capture.changed.set()

    async def _hear(self, block: Block | None) -> list[Outcome]:
        try:
            return await self._scoring.hear(block)
        except VserError as exc:
            self.capture.interrupt(str(exc))
            return []

    async def _change(self, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Change the alarm on the scoring thread, and tell it before anything else may change it."""
        await self._begun.wait()
        async with self._turn:
            outcomes = await self._scoring.change(work)
            await self._tell(outcomes)
        return outcomes

    async def _go_on(self) -> None:
        """Where an earlier listener has ended."""
        await self._recollection.go_on()
        self._paused = self._pipeline.alarm.pause
        await self._shared.store.commit((self._documents.state_message(),))

    async def _save(self) -> None:
        await self._shared.store.commit((), memory=self._recollection.memory())

    async def _save_learned(self) -> None:
        """Now and then keep what was learned, and ask again for what could not be read."""
        match self._recollection.due():
            case Due.ASK:
                await self._go_on()
            case Due.SAVE:
                await self._save()
            case None:
                pass

    async def _tell(self, outcomes: list[Outcome]) -> None:
        """All alerts of one look are kept together, or a restart between two would lose the second."""
        alerts = [self._alert(each.what) for each in outcomes if isinstance(each.what, Transition)]
        if alerts:
            self.capture.changed.set()  # health tells the signal, too
        if alerts or self._paused != self._pipeline.alarm.pause:
            self._paused = self._pipeline.alarm.pause
            messages = [one.message for one in alerts] + [self._documents.state_message()]
            records = [one.record for one in alerts if one.record is not None]
            await self._shared.store.commit(messages, memory=self._recollection.memory(), records=records)
        for outcome in outcomes:
            match outcome.what:
                case Decision() as decision if decision.segment.kind is SegmentKind.UTTERANCE:
                    await self._judged(decision)
                case Rejected(reason=reason):
                    self._documents.rejected += 1
                    self._shared.metrics.rejected(self.name)
                    _log.debug("utterance not classified: source=%s reason=%s", self.name, reason)
                case _:
                    pass

    def _alert(self, transition: Transition) -> Announced:
        made = self._documents.alert(transition)
        self._pipeline.alerted(transition, made.alert.alert_id)
        _log.log(
            logging.INFO if transition.event in GOOD_NEWS else logging.WARNING,
            "alarm %s: source=%s level=%s reason=%s",
            made.alert.event,
            self.name,
            transition.level,
            made.alert.reason,
        )
        self._shared.metrics.alarm(self.name, level=transition.level, event=made.alert.event)
        return made

    async def _judged(self, decision: Decision) -> None:
        """The alarm has heard the SVM already; what is ambiguous is weighed while listening goes on."""
        settle = self._second.begin(decision)
        if settle is None:
            await self._utterance(decision)
            return
        weighing = asyncio.create_task(self._settle(settle), name=f"weigh {self.name}")
        self._weighing.add(weighing)
        weighing.add_done_callback(self._weighing.discard)

    async def _settle(self, settle: Settle) -> None:
        await self._utterance(await settle(self.amend))

    async def _utterance(self, decision: Decision) -> None:
        self._shared.metrics.utterance(self.name, decision)
        for message in self._documents.utterance(decision):
            await self._shared.store.commit((message,))
