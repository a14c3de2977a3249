"""How the broker treats the connection for alerts: away, ending good connections, taking less."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from vser_stream.adapters.mqtt.client import Limits
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.errors import PublishError, SessionTakenError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.quarantine import Aside

__all__ = ["AWAY_AFTER", "Standing"]

AWAY_AFTER = 30.0
"""A broker that restarts is back before that (s)."""

SITE_TWICE = (
    "the broker keeps closing the connection: another agent seems to use the same site; give each box "
    "its own, or see the broker's log"
)

THROWN_OUT, THROWN_OUT_WITHIN = 3, 600.0
"""A broker that ends so many good connections within such a time (s) does it for somebody else's sake."""

_log = logging.getLogger(__name__)


class Standing:
    """Delivery notes here what happens, and whoever tells of technical conditions reads it.

    Args:
        clock: What time it is.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.connected = False
        self.connections = 0
        """So far."""

        self.aside = Aside()
        """What it does not take."""

        self._lost_at = clock.wall()
        self._thrown_out: deque[float] = deque(maxlen=THROWN_OUT)
        self._lacks: list[Condition] = []
        self._too_long = float("inf")
        self._shortened: Condition | None = None

    def opened(self, limits: Limits) -> None:
        """There is a connection."""
        self.connected = True
        self.connections += 1
        self.aside.connected()
        self._shortened = self._shortened if self._too_long < float("inf") else None
        known = {one.reason: one for one in self._lacks}
        lacks = [f"the broker {one}" for one in limits.lacks()]
        self._lacks = [
            known.get(one) or Condition(ConditionName.BROKER_LIMITS, "low", self._clock.wall(), one)
            for one in lacks
        ]
        for one in self._lacks:
            if one.reason not in known:
                _log.warning("%s: %s", one.name, one.reason)

    def closed(self) -> None:
        """There is none any more."""
        if self.connected:
            self.connected, self._lost_at = False, self._clock.wall()

    def unreachable(self, error: PublishError) -> None:
        """There was none to be had."""
        if error.code is None:  # it was away, so it threw nobody out, and is perhaps another one now
            self._thrown_out.clear()
            self._too_long = float("inf")

    def lost(self, error: PublishError) -> None:
        """A good connection was lost."""
        if isinstance(error, SessionTakenError) or error.hung_up:
            before = self.thrown_out
            self._thrown_out.append(self._clock.wall())
            if self.thrown_out and not before:
                _log.error("%s: %s", ConditionName.SITE_TWICE, SITE_TWICE)

    @property
    def thrown_out(self) -> bool:
        """Whether the broker ended several good connections lately."""
        thrown = self._thrown_out
        return len(thrown) == THROWN_OUT and self._clock.wall() - thrown[0] <= THROWN_OUT_WITHIN

    def is_too_long(self, size: int) -> bool:
        """Whether messages of that size (bytes) are known to end the connection."""
        return size >= self._too_long

    def shortened(self, reason: str, *, proven_at: int | None) -> None:
        """A message was taken in brief only.

        Args:
            reason: Why.
            proven_at: Size of the whole one (bytes), where it is known to end the connection.
        """
        if proven_at is not None:
            self._too_long = min(self._too_long, proven_at)
        if self._shortened is None:
            words = f"the broker does not accept large messages, so they are shortened: {reason}"
            _log.warning("%s: %s", ConditionName.BROKER_LIMITS, words)
            self._shortened = Condition(ConditionName.BROKER_LIMITS, "low", self._clock.wall(), words)

    def conditions(self) -> Iterator[Condition]:
        """What is wrong, for whoever reads health, metrics or the log."""
        if not self.connected and self._clock.wall() - self._lost_at >= AWAY_AFTER:
            reason = "the broker cannot be reached, alerts are stored on this box; see vser-stream doctor"
            yield Condition(ConditionName.BROKER_AWAY, "medium", self._lost_at, reason)
        if self.thrown_out:
            yield Condition(ConditionName.SITE_TWICE, "medium", self._thrown_out[0], SITE_TWICE)
        yield from self._lacks
        yield from [self._shortened] if self._shortened else []
        yield from self.aside.conditions()
