"""What the broker's access list keeps from us: a technical condition until it is corrected."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from vser_stream.adapters.mqtt import Broker
from vser_stream.adapters.mqtt_access import denied
from vser_stream.core.condition import Condition, ConditionName
from vser_stream.errors import PublishError

__all__ = ["Access"]

_log = logging.getLogger(__name__)


class Access:
    """Topics the broker refuses.

    Args:
        broker: Which one.
        topics: Those that are to be asked about; the others tell by themselves.
    """

    def __init__(self, broker: Broker, *, topics: Callable[[], Sequence[str]]) -> None:
        self._broker, self._topics = broker, topics
        self._denied: dict[str, Condition] = {}

    def deny(self, topic: str, reason: str) -> None:
        """The broker refused a topic."""
        if topic in self._denied:
            return
        _log.error("%s: %s: %s", ConditionName.ACCESS_DENIED, topic, reason)
        if topic.startswith("vser/"):
            condition = Condition(ConditionName.ACCESS_DENIED, "medium", time.time(), reason)
        else:
            unwanted = f"{reason}; or set enabled = false in [homeassistant]"
            condition = Condition(ConditionName.ACCESS_DENIED, "low", time.time(), unwanted)
        self._denied[topic] = condition

    def allow(self, topic: str) -> None:
        """It did not, this time."""
        if self._denied.pop(topic, None):
            _log.info("%s is over: topic=%s", ConditionName.ACCESS_DENIED, topic)

    async def check(self) -> None:
        """Ask about the topics on which nothing may be published for a long time."""
        wanted = self._topics()
        try:
            found = await denied(self._broker, wanted)
        except PublishError as exc:
            _log.info("%s", exc)
            return
        for topic in wanted:
            if topic in found:
                self.deny(topic, found[topic])
            else:
                self.allow(topic)

    def conditions(self, source: str) -> Iterator[Condition]:
        """What concerns a source: its own topics, and those of the whole site."""
        for topic, condition in self._denied.items():
            match topic.split("/"):
                case ["vser", "v1", _, name, _, *_] if name not in {source, "+"}:
                    pass
                case _:
                    yield condition
