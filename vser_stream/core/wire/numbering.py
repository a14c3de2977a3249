"""From alarm transitions to numbered alert documents, for one source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Transition, priority_of
from vser_stream.core.wire.documents import Alert, Origin, Paused, State, Versions, alert_of, utc
from vser_stream.values import Label

__all__ = ["Reporter", "Story"]

_OPENS = {AlarmEvent.RAISED, AlarmEvent.SUPPRESSED}
"""Events that begin a condition of their own; all others belong to the one that is open."""


_SIGNALS = {AlarmEvent.RAISED, AlarmEvent.ESCALATED, AlarmEvent.RERAISED}
"""Events after which an alarm is more than whoever saw it before has seen."""


@dataclass(frozen=True, slots=True)
class Story:
    """How far the documents of a source have come."""

    seq: int = 0
    """Alert documents so far."""

    alert_id: str = ""
    """Of the alarm that was raised last."""

    since: float | None = None
    """When that was published (Unix s)."""

    signalled: int = 0
    """Number of the document that last raised or escalated it."""


class Reporter:
    """Gives each transition its place in the story of its source.

    Args:
        site: Of the agent.
        source: Its name.
        versions: What decides now; asked for at each alert, since rules may be exchanged.
        new_id: Makes ids.
    """

    def __init__(
        self,
        *,
        site: str,
        source: str,
        versions: Callable[[], Versions],
        new_id: Callable[[], str],
    ) -> None:
        self.site, self.source = site, source
        self._versions = versions
        self._new_id = new_id
        self.story = Story()
        """As it stands now; one from before a restart may be put here before the first alert."""

    def alert(self, transition: Transition, *, published_at: float) -> Alert:
        """Number a transition that is published at ``published_at`` (Unix s)."""
        alert_id = self._new_id() if transition.event in _OPENS else self.story.alert_id
        self.story = replace(self.story, seq=self.story.seq + 1)
        if transition.event is AlarmEvent.RAISED:
            self.story = replace(self.story, alert_id=alert_id, since=published_at)
        if transition.event in _SIGNALS:
            self.story = replace(self.story, signalled=self.story.seq)
        return alert_of(
            transition,
            origin=Origin(self.site, self.source, self._versions()),
            event_id=self._new_id(),
            alert_id=alert_id,
            seq=self.story.seq,
            published_at=published_at,
        )

    def unseen(self, alarm: AlarmState, *, alert_id: str, seq: int | None) -> str | None:
        """Why whoever has seen so much may not acknowledge what there is now; None if they may.

        Args:
            alarm: As it is now.
            alert_id: Of the alarm they have seen.
            seq: Of the latest document they have seen, or of the state; None for the latest there is.
        """
        story = self.story
        if alarm.alarm is None or alert_id != story.alert_id or alarm.alarm.acknowledged:
            return f"no alarm {alert_id} of {self.source} is unacknowledged; see its state"
        if seq is not None and seq > story.seq:
            return f"{self.source} has no alert with seq {seq}, the latest is {story.seq}; see its state"
        if seq is not None and seq < story.signalled:
            now = f"it is {alarm.alarm.level} now, seq {story.signalled}"
            return f"alarm {alert_id} has escalated since: {now}; check again, then acknowledge it"
        return None

    def state(self, alarm: AlarmState, *, label: Label | None, updated_at: float) -> State:
        """The current condition, with the label of the last judged utterance."""
        current, story, paused = alarm.alarm, self.story, alarm.pause
        level = current.level if current else Label.CALM
        return State(
            site=self.site,
            source=self.source,
            condition=level,
            present=alarm.level is not Label.CALM,
            priority=priority_of(level),
            signal=alarm.signal,
            alert_id=story.alert_id if current else None,
            since=utc(story.since) if current and story.since is not None else None,
            acknowledged_by=current.acknowledged.by if current and current.acknowledged else None,
            paused=paused and Paused(by=paused.by, until=utc(paused.until), ending=paused.ending),
            label=label,
            seq=story.seq,
            updated_at=utc(updated_at),
        )
