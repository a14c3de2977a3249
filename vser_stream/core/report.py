"""From alarm transitions to numbered alert documents, for one source."""

from __future__ import annotations

from collections.abc import Callable

from vser_stream.core.alarm import AlarmEvent, AlarmState, Transition, priority_of
from vser_stream.core.messages import Alert, State, Versions, alert_of, utc
from vser_stream.values import Label

__all__ = ["Reporter"]

_OPENS = {AlarmEvent.RAISED, AlarmEvent.SUPPRESSED}
"""Events that begin a condition of their own; all others belong to the one that is open."""


class Reporter:
    """Gives each transition its place in the story of its source."""

    def __init__(self, *, site: str, source: str, versions: Versions, new_id: Callable[[], str]) -> None:
        self._site, self._source = site, source
        self._versions = versions
        self._new_id = new_id
        self._alert_id = ""
        self._since: float | None = None
        self._seq = 0

    def alert(self, transition: Transition, *, published_at: float) -> Alert:
        """Number a transition that is published at ``published_at`` (Unix s)."""
        self._seq += 1
        alert_id = self._new_id() if transition.event in _OPENS else self._alert_id
        if transition.event is AlarmEvent.RAISED:
            self._alert_id, self._since = alert_id, published_at
        return alert_of(
            transition,
            site=self._site,
            source=self._source,
            event_id=self._new_id(),
            alert_id=alert_id,
            seq=self._seq,
            published_at=published_at,
            versions=self._versions,
        )

    def state(self, alarm: AlarmState, *, label: Label | None, updated_at: float) -> State:
        """The current condition, with the label of the last judged utterance."""
        present = alarm.level is not Label.CALM
        return State(
            site=self._site,
            source=self._source,
            condition=alarm.level,
            priority=priority_of(alarm.level),
            signal="on" if present else "off",
            alert_id=self._alert_id if present else None,
            since=utc(self._since) if present and self._since is not None else None,
            label=label,
            seq=self._seq,
            updated_at=utc(updated_at),
        )
