"""What somebody who takes care wants to see of a site, from its documents alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vser_stream.core.alarm.state import AlarmEvent
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.wire import topics
from vser_stream.core.wire.documents import Alert, Document, Health, SiteStatus, State
from vser_stream.values import Label, MessageKind

__all__ = ["Board"]

KEPT = 50
"""Alerts kept; as many are shown as there is room for."""

STYLES = {Label.PANIC: "bold white on red", Label.ANGRY: "bold black on yellow", Label.CALM: "green"}

GOOD, BAD = "bold black on green", "bold white on red"

UNATTENDED = {"on", "latched"}
"""Signals that ask for somebody."""

QUIET_DB, LOUD_DB = -70.0, -10.0
"""Ends of the level bar (dB re full scale)."""

D = TypeVar("D", bound=Document)


@dataclass
class Board:
    """Everything known of one site; feed it what arrives, then :meth:`render` it."""

    site: str
    status: str = "unknown"
    link: str = "connecting"
    """Empty while the broker is there; else what is wrong with it."""

    states: dict[str, State] = field(default_factory=dict)
    unknown_since: dict[str, float] = field(default_factory=dict)
    """Wall time (s) at which the state of a source was removed while its alarm was open."""

    healths: dict[str, Health] = field(default_factory=dict)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Newest first."""

    def feed(self, topic: str, payload: bytes) -> None:
        """Take a message; an empty one removes what it said before, nonsense is passed over.

        No alarm is over because its state was removed: anybody may do that. It is over when its own
        event says so.
        """
        said = topics.parse(topic)
        match said and (said.source, said.last):
            case (None, MessageKind.STATUS):
                self.status = payload.decode(errors="replace")
            case (str(source), MessageKind.STATE):
                self._state(source, payload)
            case (str(source), MessageKind.HEALTH):
                _keep(self.healths, source, payload, Health)
            case (str(source), MessageKind.ALERT) if alert := _read(payload, Alert):
                self.alerts.appendleft(alert)
                if source in self.unknown_since and _ends(alert, self.states[source]):
                    del self.states[source], self.unknown_since[source]
            case _:
                pass

    def _state(self, source: str, payload: bytes) -> None:
        known = self.states.get(source)
        if not payload and known is not None and known.alert_id:
            self.unknown_since.setdefault(source, time.time())
            return
        _keep(self.states, source, payload, State)
        if self.states.get(source) is not known:
            self.unknown_since.pop(source, None)

    def render(self, *, height: int) -> RenderableType:
        """The whole view, with at most ``height`` alerts."""
        parts = [self._head(), *self._warnings(), self._sources(), *self._technical(), self._alerts(height)]
        return Group(*parts)

    def _head(self) -> RenderableType:
        listening = self.status == SiteStatus.ONLINE
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        words = _text(f" {self.site} ", "bold")
        words.append_text(_text(f" {self.status} ", GOOD if listening else BAD))
        head.add_row(words, Text(time.strftime("%H:%M:%S "), style="dim"))
        return head

    def _warnings(self) -> Iterator[RenderableType]:
        if self.link:
            yield _text(f" Not connected, nothing below is current: {self.link}", BAD)
        elif self.status != SiteStatus.ONLINE:
            yield _text(" No source is being monitored at this site: no alarm can come from it.", BAD)
        for source, since in sorted(self.unknown_since.items()):
            state = self.states[source]
            words = f" {state.condition.upper()} in {source} since {_clock(state.since)}, unknown since"
            now = f"{_clock(datetime.fromtimestamp(since, UTC))}: its state was removed; check on it"
            yield _text(f"{words} {now}", STYLES[state.condition])
        for source, state in sorted(self.states.items()):
            if source in self.unknown_since:
                continue
            if state.alert_id and state.signal in UNATTENDED:
                words = f" {state.condition.upper()} in {source} since {_clock(state.since)}"
                yield _text(
                    f"{words}: vser-stream ack {state.alert_id[:8]} --seq {state.seq}",
                    STYLES[state.condition],
                )

    def _sources(self) -> Table:
        table = Table("source", "alarm", "signal", "voice", "level", "capture", expand=True)
        for source in sorted(self.states.keys() | self.healths.keys()):
            state, health = self.states.get(source), self.healths.get(source)
            table.add_row(
                _text(source),
                _condition(state, health),
                _text(state.signal if state else "-"),
                _voice(state),
                _bar(health.level_db if health else None),
                _capture(health),
            )
        return table

    def _technical(self) -> Iterator[RenderableType]:
        for source, health in sorted(self.healths.items()):
            for condition in health.conditions:
                yield _text(f" {source}: {condition.name}: {condition.reason}", "yellow")
            for it in health.thresholds:
                if it.distress != it.usual:
                    words = (
                        f"{it.level} from distress {it.distress:.1f} instead of {it.usual:.1f}: {it.reason}"
                    )
                    yield _text(f" {source}: {words}", "dim")

    def _alerts(self, height: int) -> RenderableType:
        if not self.alerts:
            return Panel(Text("none since this view was opened", style="dim"), title="alerts")
        lines = Table.grid(padding=(0, 1))
        for alert in list(self.alerts)[:height]:
            why = _text(f"{alert.reason}. ").append_text(_text(alert.rationale, "dim"))
            lines.add_row(
                _text(_clock(alert.published_at)),
                _text(alert.source),
                _text(alert.event),
                _label(alert.label),
                why,
            )
        return Panel(lines, title="alerts")


def _keep(kept: dict[str, D], source: str, payload: bytes, model: type[D]) -> None:
    if not payload:
        kept.pop(source, None)
    elif document := _read(payload, model):
        kept[source] = document


def _ends(alert: Alert, state: State) -> bool:
    return alert.alert_id == state.alert_id and alert.event is AlarmEvent.CLEARED


def _read(payload: bytes, model: type[D]) -> D | None:
    """The document, of this release or a newer one; None for anything else."""
    try:
        return model.model_validate_json(payload, extra="ignore")
    except ValidationError:
        return None


def _text(words: str, style: str = "") -> Text:
    """Without what would make the terminal do something."""
    return Text("".join(letter if letter.isprintable() else "?" for letter in words), style=style)


def _label(label: Label | None) -> Text:
    return Text(label, style=STYLES[label]) if label else Text("-", style="dim")


def _condition(state: State | None, health: Health | None) -> Text:
    """Calm is only said of a source that is heard."""
    heard = health is not None and health.capture is CaptureState.RUNNING
    if state is None or (state.condition is Label.CALM and not heard):
        return Text("unknown", style="dim")
    return _label(state.condition)


def _voice(state: State | None) -> Text:
    voice = _label(state.label if state else None)
    return voice if state is None or state.confidence is None else voice.append(f" {state.confidence:.0%}")


def _clock(at: datetime | None) -> str:
    """Local time of day."""
    return at.astimezone().strftime("%H:%M:%S") if at else "-"


def _bar(level: float | None) -> Text:
    if level is None:
        return Text("-", style="dim")
    filled = round(10 * min(1.0, max(0.0, (level - QUIET_DB) / (LOUD_DB - QUIET_DB))))
    return Text("█" * filled + "·" * (10 - filled) + f" {level:.0f} dB", style="cyan")


def _capture(health: Health | None) -> Text:
    if health is None:
        return Text("unknown", style="dim")
    return Text(health.capture, style="green" if health.capture is CaptureState.RUNNING else "bold red")
