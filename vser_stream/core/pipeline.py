"""One source from blocks of audio to decisions and alarm transitions.

Pure and deterministic: what comes out depends on the samples and their times alone, so a
recording replayed gives what the daemon gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vser_stream.config.schema import AlarmConfig, SegmentConfig
from vser_stream.core.alarm.room_adaptation import Room, Threshold, raised, settled, thresholds_of
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Transition
from vser_stream.core.alarm.state_machine import (
    STEPPED,
    Step,
    acknowledge,
    amend,
    clock_set,
    live,
    pause,
    resume,
    step,
    tick,
)
from vser_stream.core.alarm.threshold_curve import Curves, as_asked
from vser_stream.core.audio.framing import Framer
from vser_stream.core.audio.quality import quality_of
from vser_stream.core.audio.segment import Segmenter
from vser_stream.core.audio.signal_faults import SignalWatch
from vser_stream.core.audio.voice_gate import no_voice
from vser_stream.core.decide import Decider
from vser_stream.core.scoring.baby_cry import BabyCry
from vser_stream.core.scoring.baseline import is_calm_enough
from vser_stream.core.technical_condition import Condition
from vser_stream.ports import SpeechDetector
from vser_stream.values import FRAME, RATE, Block, Cut, Decision, Frame, Label, Segment, SegmentKind

__all__ = ["Outcome", "Pipeline", "Rejected"]


_MINUTE = 60.0
"""Heard time between two looks at what the room is like (s)."""

_BEGINS = {AlarmEvent.RAISED, AlarmEvent.ESCALATED, AlarmEvent.RERAISED}
"""Events of which a person may say later that they were right."""

_LONGEST_SILENCE = 60.0
"""A source that delivers nothing is known to after a quarter of this, and then time passes without it (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Rejected:
    """An utterance that cannot be judged."""

    segment: Segment
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Something that came of the audio, and where in it the pipeline then stood."""

    what: Decision | Rejected | Transition
    at: int
    """Position just after the last sample heard (samples)."""

    now: float
    """Wall time of that position (s)."""


class Pipeline:
    """State of one source; feed it every block in order.

    Args:
        decider: Judges what was said.
        detector: Of speech.
        segment: When speech begins, is looked at, and ends.
        alarm: When an alarm is raised.
        curves: Of the model: what thresholds of the alarm cost with it.
        baby_cry: Listen for a baby's cry, too.
    """

    def __init__(
        self,
        decider: Decider,
        detector: SpeechDetector,
        *,
        segment: SegmentConfig | None = None,
        alarm: AlarmConfig | None = None,
        curves: Curves | None = None,
        baby_cry: bool = False,
    ) -> None:
        self.decider = decider
        self._detector = detector
        self._framer = Framer()
        self._segmenter = Segmenter(segment)
        self._alarm_asked, self._curves = alarm or AlarmConfig(), curves or {}
        self._alarm_config = as_asked(self._alarm_asked, self._curves)
        self.alarm = AlarmState()
        """Current alarm condition; one from before a restart may be put here before the first block, and then
        its room into :attr:`room`."""

        self.room = self.alarm.room
        self.signal = SignalWatch()
        """Whether what the source delivers can be a room: from noise, silence and hum nothing is learned."""

        self._lived = 0

        self.gaps = 0
        """Interruptions of the audio so far."""

        self._baby_cry = BabyCry() if baby_cry else None
        self._at = 0
        self._now = 0.0
        self._calm_utterance: int | None = None

    @property
    def room(self) -> Room:
        """What distress reaches here by itself; one from before a restart is taken if it still fits."""
        return self.alarm.room

    @room.setter
    def room(self, known: Room) -> None:
        self.alarm = replace(self.alarm, room=settled(known, self._alarm_asked, self._curves))

    def thresholds(self) -> tuple[Threshold, ...]:
        """From where on each level is raised here, and why."""
        return thresholds_of(self._alarm_asked, self._curves, self.room)

    @property
    def level_db(self) -> float | None:
        """Level of the last frame (dB re full scale)."""
        return self._segmenter.level_db

    @property
    def floor_db(self) -> float:
        """Noise floor (dB re full scale)."""
        return self._segmenter.floor_db

    def conditions(self) -> Iterator[Condition]:
        """What is to be told of the room besides alarms."""
        if self._baby_cry and (condition := self._baby_cry.condition(self._now)):
            yield condition

    def feed(self, block: Block) -> list[Outcome]:
        """Take the next block; return what came of it, in order."""
        self.signal.feed(block)
        return [outcome for frame in self._framer.feed(block) for outcome in self._hear(frame)]

    def flush(self, cut: Cut = Cut.END) -> list[Outcome]:
        """Close the open utterance: the audio has ended or stalled."""
        return list(self._judge_all(self._segmenter.flush(cut)))

    def amend(self, decision: Decision, now: float) -> list[Outcome]:
        """Take a second verdict on an utterance that was judged; ``now`` is wall time (s)."""
        return self._changed(amend(self.alarm, decision, now, config=self._alarm_config), now)

    def alerted(self, transition: Transition, alert_id: str) -> None:
        """What came of the audio was published as an alert; a person may say later that it was right."""
        if transition.event in _BEGINS:
            self.room = raised(self.room, alert_id)

    def wait(self, now: float) -> list[Outcome]:
        """Let time pass while there is no audio, every few seconds; ``now`` is wall time (s)."""
        self._note_clock(now - self._now, allowed=_LONGEST_SILENCE)
        self._now = now
        return self._changed(tick(self.alarm, now, config=self._alarm_config, heard=False), now)

    def acknowledge(self, now: float, *, by: str) -> list[Outcome]:
        """Somebody takes care of the open alarm."""
        return self._changed(acknowledge(self.alarm, now, by=by, config=self._alarm_config), now)

    def pause(self, now: float, *, for_s: float, by: str) -> list[Outcome]:
        """Raise nothing below panic for a while."""
        paused = pause(self.alarm, now, for_s=for_s, by=by, config=self._alarm_config)
        return self._changed((paused, ()), now)

    def resume(self, now: float) -> list[Outcome]:
        """End a pause."""
        return self._changed((resume(self.alarm, now), ()), now)

    def _changed(self, changed: Step, now: float) -> list[Outcome]:
        self.alarm, changes = changed
        return [Outcome(change, at=self._at, now=now) for change in changes]

    def _note_clock(self, ahead: float, *, allowed: float) -> None:
        """A clock that runs ahead of the audio was set forward (s): no alarm is older for that.

        A clock that was set back the alarm notices by itself: :mod:`vser_stream.core.alarm.state_machine`.
        """
        if self._now and ahead > allowed:
            self.alarm = clock_set(self.alarm, ahead)

    def _hear(self, frame: Frame) -> Iterator[Outcome]:
        self.gaps += frame.after_gap
        if frame.start >= self._at:  # still the same opening
            due = self._now + (frame.start - self._at) / RATE
            self._note_clock(frame.heard_at - due, allowed=STEPPED)
        self._at = frame.end
        self._now = frame.heard_at + FRAME / RATE
        self._live()
        is_speech = self._detector.is_speech(frame.pcm)
        yield from self._judge_all(self._segmenter.feed(frame, is_speech=is_speech))
        # What happened before the first sample nobody heard: a condition of then is not over by that.
        heard = frame.start > 0
        self.alarm, over = tick(self.alarm, self._now, config=self._alarm_config, heard=heard)
        yield from map(self._outcome, over)

    def _live(self) -> None:
        """A frame of the room was heard; once a minute it is looked at what that makes."""
        self._lived += not self.signal.conditions
        if self._lived >= _MINUTE * RATE / FRAME:
            self._lived = 0
            self.alarm = live(self.alarm, _MINUTE)
            self.room = self.alarm.room

    def _judge_all(self, segments: list[Segment]) -> Iterator[Outcome]:
        for segment in segments:
            yield from map(self._outcome, self._judge(segment))

    def _judge(self, segment: Segment) -> Iterator[Decision | Rejected | Transition]:
        if self._may_wait(segment):
            return
        quality = quality_of(segment)
        if quality.too_noisy:
            yield from _rejected(segment, quality.too_noisy)
            return
        vector = self.decider.measure(segment)
        if noise := no_voice(vector):
            yield from _rejected(segment, noise)
            return
        if self._baby_cry and segment.kind is SegmentKind.UTTERANCE:
            lasted = (segment.end - segment.onset) / RATE
            self._baby_cry.feed(vector, lasted=lasted, now=self._now)
        decision = self.decider.decide(segment, vector)
        if unsure := quality.cannot_be(decision.label):
            yield from _rejected(segment, unsure)
            return
        yield decision
        self.alarm, changes = step(self.alarm, decision, self._now, config=self._alarm_config)
        yield from changes
        if is_calm_enough(decision.probabilities):
            self._calm_utterance = segment.start
            if segment.kind is SegmentKind.UTTERANCE:
                self.decider.learn(vector)

    def _may_wait(self, segment: Segment) -> bool:
        """Whether a window need not be looked at: each look costs the pitch tracker 0.3 s of context.

        Calm speech is looked at half as often, and where panic is on the utterance is soon enough.
        """
        if segment.kind is SegmentKind.UTTERANCE:
            return False
        after_calm = segment.start == self._calm_utterance
        self._calm_utterance = None
        return after_calm or self.alarm.level is Label.PANIC

    def _outcome(self, what: Decision | Rejected | Transition) -> Outcome:
        return Outcome(what, at=self._at, now=self._now)


def _rejected(segment: Segment, reason: str) -> Iterator[Rejected]:
    """Windows are dropped in silence: the utterance is still to come."""
    if segment.kind is SegmentKind.UTTERANCE:
        yield Rejected(segment, reason)
