"""What the broker's access list keeps from us: a technical condition until it is corrected.

It is learned from what is published and subscribed to anyway. The retained state of a source goes the
way of its alerts; to ask about the alerts themselves one would have to publish what some brokers pass on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire import topics
from vser_stream.ports import Clock

__all__ = ["Access"]

_log = logging.getLogger(__name__)


class Access:
    """Topics the broker refuses.

    Args:
        clock: What time it is.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._denied: dict[str, Condition] = {}

    def deny(self, topic: str, reason: str) -> None:
        """The broker refused a topic."""
        if topic in self._denied:
            return
        _log.error("%s: %s: %s", ConditionName.ACCESS_DENIED, topic, reason)
        if topics.is_ours(topic):
            condition = Condition(ConditionName.ACCESS_DENIED, "medium", self._clock.wall(), reason)
        else:
            unwanted = f"{reason}; or set enabled = false in [homeassistant]"
            condition = Condition(ConditionName.ACCESS_DENIED, "low", self._clock.wall(), unwanted)
        self._denied[topic] = condition

    def allow(self, topic: str) -> None:
        """It did not, this time."""
        if self._denied.pop(topic, None):
            _log.info("%s resolved: topic=%s", ConditionName.ACCESS_DENIED, topic)

    def conditions(self, source: str) -> Iterator[Condition]:
        """What concerns a source: its own topics, and those of the whole site."""
        for topic, condition in self._denied.items():
            said = topics.parse(topic)
            if said is None or said.source in {None, source, topics.ANY}:
                yield condition
