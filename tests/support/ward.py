"""A source that can be commanded, without any audio behind."""

from __future__ import annotations

from dataclasses import dataclass

from support.decisions import START

from vser_stream.core.alarm.state import Priority, Signal
from vser_stream.core.wire.commands import Feedback
from vser_stream.core.wire.documents import State, utc
from vser_stream.errors import CommandError
from vser_stream.values import Label

__all__ = ["NoFeedback", "Ward", "Wards"]


class Ward:
    """In panic since START, under one alert id, until it is acknowledged."""

    name = "bed"

    def __init__(self) -> None:
        self.alert_id: str | None = "a1b2c3"
        self.asked: list[str] = []
        """What was asked of it, in words."""

    def state(self) -> State:
        return State(
            site="home",
            source=self.name,
            condition=Label.PANIC if self.alert_id else Label.CALM,
            priority=Priority.HIGH if self.alert_id else Priority.NONE,
            signal=Signal.ON if self.alert_id else Signal.OFF,
            alert_id=self.alert_id,
            since=utc(START) if self.alert_id else None,
            label=Label.PANIC,
            seq=1,
            updated_at=utc(START),
        )

    async def acknowledge(self, *, by: str, alert_id: str, seq: int | None = None) -> None:
        self.asked.append(f"acknowledge {alert_id} seq {seq} by {by}")
        if alert_id != self.alert_id:
            raise CommandError(f"no alarm {alert_id} of {self.name} is unacknowledged; see its state")
        self.alert_id = None

    async def pause(self, *, for_s: float, by: str) -> None:
        self.asked.append(f"pause {for_s:g} s by {by}")

    async def resume(self) -> bool:
        self.asked.append("resume")
        return False

    async def confirm(self, alert_id: str, *, right: bool) -> None:
        self.asked.append(f"{alert_id} was {'right' if right else 'wrong'}")


@dataclass
class Wards:
    """Those that are listened to."""

    listeners: list[Ward]

    @property
    def names(self) -> list[str]:
        return [ward.name for ward in self.listeners]


class NoFeedback:
    """Nobody gives any."""

    async def keep(self, source: str, feedback: Feedback) -> None:
        raise AssertionError(source, feedback)
