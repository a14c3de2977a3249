"""How the daemon stands: in one line, and in figures."""

from __future__ import annotations

from vser_stream import __version__
from vser_stream.adapters.system.prometheus import Reading
from vser_stream.runtime.assembly import Assembly
from vser_stream.runtime.delivery.delivery import Counters
from vser_stream.runtime.reasoning import escalation
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.watch.daemon_metrics import (
    readings_of_delivery,
    readings_of_escalation,
    readings_of_look,
    readings_of_source,
)

__all__ = ["Overview"]


class Overview:
    """Of all parts.

    Args:
        parts: Which.
    """

    def __init__(self, parts: Assembly) -> None:
        self._parts = parts

    @property
    def listeners(self) -> list[Listener]:
        """Those of the sources that are listened to now."""
        return self._parts.roster.listeners

    async def counters(self) -> Counters:
        """How delivery stands."""
        return await self._parts.delivery.counters()

    async def in_words(self) -> str:
        """How all stands, in one line."""
        counters, listeners = await self.counters(), self.listeners
        words = [
            f"{sum(listener.heard is True for listener in listeners)} of {len(listeners)} sources monitored",
            "broker connected" if counters.connected else "broker away",
            f"{counters.depth} messages waiting",
        ]
        refused = self._parts.conditions.configuration
        return "; ".join([*words, refused.reason] if refused else words)

    async def readings(self) -> list[Reading]:
        """How all stands, in figures."""
        model, asked = self._parts.engine.model, self._parts.escalation
        what = {"version": __version__, "model": model.name, "model_version": model.version}
        what |= {"sha256": model.sha256, "features": str(model.manifest["features"])}
        accepted = self._parts.conditions.configuration is None
        return [
            Reading("vser_info", "Version that runs.", 1.0, what),
            Reading("vser_config_valid", "0 when the last reload was refused.", accepted),
            *(
                reading
                for each in self.listeners
                for reading in readings_of_source(each.health(), heard=each.heard is True)
            ),
            *readings_of_delivery(await self.counters()),
            *readings_of_look(model.look.judge if model.look else None),
            *readings_of_escalation(asked.counters() if asked else escalation.Counters()),
        ]

    async def text(self) -> bytes:
        """The figures as Prometheus reads them."""
        return self._parts.metrics.text(await self.readings())
