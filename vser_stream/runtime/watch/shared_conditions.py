"""What is technically wrong with more than one source."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.inbox import CommandLink
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.delivery.standing import Standing

__all__ = ["AgentConditions"]

_log = logging.getLogger(__name__)


class AgentConditions:
    """Implements :class:`vser_stream.runtime.source.parts.SharedConditions`.

    Args:
        keeper: Knows the disk.
        standing: Knows the broker.
        link: Knows whether commands can be heard.
        access: Knows what the broker refuses.
        clock: What time it is.
    """

    def __init__(
        self, keeper: Keeper, standing: Standing, link: CommandLink, *, access: Access, clock: Clock
    ) -> None:
        self._keeper, self._standing, self._link = keeper, standing, link
        self._access, self._clock = access, clock
        self.configuration: Condition | None = None
        """Set while the file is not what is in force."""

    def refuse_configuration(self, reason: str) -> None:
        """The file cannot be used now: say so, and go on."""
        words = f"configuration not reloaded: {reason}"
        self.configuration = Condition(ConditionName.CONFIGURATION, "low", self._clock.wall(), words)
        _log.error("%s", words)

    def of(self, source: str) -> Iterator[Condition]:
        """What of it concerns a source."""
        yield from self._access.conditions(source)
        yield from self._keeper.conditions()
        yield from self._standing.conditions()
        if self._standing.connected:
            yield from self._link.conditions()
        if self.configuration is not None:
            yield self.configuration
