"""From alarm transitions to numbered alert documents, for one source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vser_stream.core.alarm_state import AlarmEvent, AlarmState, Transition, priority_of
from vser_stream.core.messages import Alert, Paused, State, Versions, alert_of, utc
from vser_stream.values import Label

__all__ = ["Reporter", "Story"]

_OPENS = {AlarmEvent.RAISED, AlarmEvent.SUPPRESSED}
"""Events that begin a condition of their own; all others belong to the one that is open."""


@dataclass(frozen=True, slots=True)
class Story:
    """How far the documents of a source have come."""

    seq: int = 0
    """Alert documents so far."""

    alert_id: str = ""
    """Of the alarm that was raised last."""

    since: float | None = None
    """When that was published (Unix s)."""


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
        self._site, self._source = site, source
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
        return alert_of(
            transition,
            site=self._site,
            source=self._source,
            event_id=self._new_id(),
            alert_id=alert_id,
            seq=self.story.seq,
            published_at=published_at,
            versions=self._versions(),
        )

    def state(self, alarm: AlarmState, *, label: Label | None, updated_at: float) -> State:
        """The current condition, with the label of the last judged utterance."""
        current, story, paused = alarm.alarm, self.story, alarm.pause
        level = current.level if current else Label.CALM
        return State(
            site=self._site,
            source=self._source,
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
