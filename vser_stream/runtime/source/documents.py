"""What one source publishes: its state, its health, its alerts and utterances."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from vser_stream.config.schema import PublishConfig
from vser_stream.core.alarm.state import Transition
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.documents import (
    Alert,
    Health,
    Origin,
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
from vser_stream.ports import Clock
from vser_stream.runtime.source.conditions import SourceConditions
from vser_stream.runtime.source.parts import Source
from vser_stream.values import Decision, Message, Record

__all__ = ["Announced", "Documents", "new_id"]

RECENT_CHANGES = 8
"""Changes of capture in a health document."""

NEWS = 0.1
"""A change of confidence that subscribers to the state should see."""


def new_id() -> str:
    """A random id."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Announced:
    """An alert, and what it rests on."""

    alert: Alert
    message: Message
    record: Record | None
    """None for a restored decision, which was recorded before."""


class Documents:
    """Makes the documents of a source, and counts what it tells.

    Args:
        source: Whose.
        conditions: What is wrong with it.
        publish: What is told, and how often.
        clock: What time it is.
    """

    def __init__(
        self, source: Source, conditions: SourceConditions, *, publish: PublishConfig, clock: Clock
    ) -> None:
        self._source, self._conditions = source, conditions
        self._publish, self._clock = publish, clock
        self._last: Decision | None = None
        self._told: State | None = None
        self._utterances = 0
        self.rejected = 0
        """Utterances that could not be judged so far."""

    def state(self) -> State:
        """Current alarm condition."""
        last, reporter = self._last, self._source.reporter
        label = None if last is None else last.label
        state = reporter.state(self._source.pipeline.alarm, label=label, updated_at=self._clock.wall())
        return state if last is None else state.model_copy(update=judgement_of(last))

    def state_message(self) -> Message:
        """The state, as it is told now."""
        self._told = self.state()
        return message_of(self._told, new_id())

    def health(self) -> Health:
        """Whether the source is heard, and how well."""
        capture, pipeline = self._source.capture, self._source.pipeline
        age, level, drift = capture.age, pipeline.level_db, capture.drift_ppm
        signal, now = pipeline.signal.signal, self._clock.wall()
        return Health(
            site=self._source.reporter.site,
            source=self._source.name,
            capture=capture.state,
            reason=capture.reason,
            last_sample_age_s=None if age is None else round(age, 3),
            level_db=None if level is None else round(level, 1),
            floor_db=None if level is None else round(pipeline.floor_db, 1),
            restarts=capture.restarts,
            gaps=pipeline.gaps,
            dropped_blocks=capture.dropped,
            utterances=self._utterances,
            rejected=self.rejected,
            baseline_utterances=int(pipeline.decider.baseline.count),
            updated_at=utc(now),
            conditions=conditions_of(self._conditions.now()),
            conditions_raised=self._conditions.raised,
            transitions=changes_of(list(capture.transitions)[-RECENT_CHANGES:]),
            outages=capture.outages,
            lost_samples=capture.lost,
            overruns=capture.overruns,
            drift_ppm=None if drift is None else round(drift, 1),
            abandoned_readers=capture.abandoned,
            clipped=None if signal is None else round(signal.clipped, 4),
            hum=None if signal is None else round(signal.hum, 4),
            signal=pipeline.alarm.signal,
            expires_at=utc(now + health_lasts(self._publish.health_every)),
            thresholds=thresholds_told(pipeline.thresholds()),
        )

    def health_message(self) -> Message:
        """The health, as it is told now."""
        return message_of(self.health(), new_id())

    def alert(self, transition: Transition) -> Announced:
        """The document of a transition, and what it rests on."""
        if transition.heard:
            self._note(transition.decision)  # the state that goes with the alert says the same
        alert = self._source.reporter.alert(transition, published_at=self._clock.wall())
        record = None
        if transition.decision.rows is not None:
            record = record_of(
                transition.decision,
                origin=Origin(alert.site, alert.source, alert.versions),
                alert_id=alert.alert_id,
                event=alert.event,
                reason=alert.reason,
                recorded_at=alert.published_at.timestamp(),
            )
        return Announced(alert, message_of(alert, alert.id), record)

    def utterance(self, decision: Decision) -> list[Message]:
        """What is told of a judged utterance: the state where that is news, and itself where it is wanted."""
        self._utterances += 1
        self._note(decision)
        messages = [self.state_message()] if self._is_news(self.state()) else []
        if self._publish.utterances:
            reporter = self._source.reporter
            document = utterance_of(decision, site=reporter.site, source=reporter.source)
            messages.append(message_of(document, new_id()))
        return messages

    def _note(self, decision: Decision) -> None:
        """Remember the latest voice that was judged; a reasoner takes its time."""
        if self._last is None or self._last.segment.heard_at <= decision.segment.heard_at:
            self._last = decision

    def _is_news(self, now: State) -> bool:
        """Whether the latest voice sounds noticeably unlike what the state last said."""
        if self._told is None or self._told.label is not now.label:
            return True
        return abs((self._told.confidence or 0.0) - (now.confidence or 0.0)) >= NEWS
