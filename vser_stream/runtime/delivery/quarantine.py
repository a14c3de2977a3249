"""Messages the broker does not take: they wait behind all others, so that none of them blocks an alert.

Some brokers refuse a message in words, some end the connection, and some of these say why. So a
message on whose account a connection may have ended goes behind the others the next time, an alarm
behind one of them; if connections that took others end over it again, this message is the reason: it
waits, longer each time, but an alarm never long.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.errors import PublishError
from vser_stream.values import Message

__all__ = ["Aside"]

PROVEN = 2
"""So many connections that took others and ended over a message are no accident."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Before a message that ends connections is tried again: each time costs all others a second or two (s)."""

FIRST_URGENT_PAUSE, LONGEST_URGENT_PAUSE = 2.0, 4.0
"""The same for an alarm: no longer than a connection is waited for while one waits (s)."""

BLAMED = {129, 130, 144, 149, 153, 154, 155}
"""Reason codes about a message (MQTT 5, section 2.4): malformed, its topic, size, payload, retain, QoS."""

LIMIT = 256
"""Messages remembered; the oldest is forgotten."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Trouble:
    strikes: int
    until: float
    """Not tried again before (monotonic s)."""

    since: float
    """Wall time (s)."""

    reason: str


class Aside:
    """What waits behind all others, by :func:`key`."""

    def __init__(self) -> None:
        self._struck: dict[str, _Trouble] = {}
        self._unfit: dict[str, _Trouble] = {}

    def connected(self) -> None:
        """Another connection may be to a broker that was corrected."""
        self._unfit.clear()

    def unfit(self, message: Message, reason: str, *, now: float, wall: float) -> None:
        """The broker does not take it, and said so."""
        known = self._unfit.get(key(message))
        if known is None:
            _log.error(
                "message rejected, others continue: topic=%s id=%s error=%s",
                message.topic,
                message.id,
                reason,
            )
        until, since = now + _rest(message, PROVEN), known.since if known else wall
        _remember(self._unfit, key(message), _Trouble(PROVEN, until, since, reason))

    def strike(
        self,
        message: Message,
        error: PublishError,
        *,
        took_others: bool,
        in_brief: bool,
        now: float,
        wall: float,
    ) -> None:
        """The connection ended over it.

        Args:
            message: Which.
            error: How.
            took_others: The connection had taken another one before: it works.
            in_brief: There is a shorter form of it, to be tried at once.
            now: Monotonic (s).
            wall: Wall time (s).
        """
        known = self._struck.get(key(message))
        blamed = error.code in BLAMED
        strikes = (known.strikes if known else 0) + (took_others or blamed)
        strikes = max(strikes, PROVEN) if blamed else strikes
        trouble = _Trouble(strikes, now, known.since if known else wall, str(error))
        if strikes > PROVEN or (strikes == PROVEN and not in_brief):
            trouble = replace(trouble, until=now + _rest(message, strikes))
            _log.error(
                "the broker disconnects at a message, others go first: topic=%s id=%s error=%s",
                message.topic,
                message.id,
                error,
            )
        _remember(self._struck, key(message), trouble)

    def taken(self, message: Message) -> None:
        """The broker took it after all."""
        self._struck.pop(key(message), None)
        self._unfit.pop(key(message), None)

    def proven(self, message: Message) -> bool:
        """Whether it is known that the broker does not take it as it is."""
        known = self._struck.get(key(message)) or self._unfit.get(key(message))
        return known is not None and known.strikes >= PROVEN

    def all(self) -> set[str]:
        """Keys of all that waits behind others."""
        return self._struck.keys() | self._unfit.keys()

    def hopeless(self, now: float) -> set[str]:
        """Keys of what may not be tried now, or ended connections in brief, too."""
        return self.resting(now) | {name for name, one in self._struck.items() if one.strikes > PROVEN}

    def resting(self, now: float) -> set[str]:
        """Keys of what may not even be tried now."""
        return {name for each in (self._struck, self._unfit) for name, one in each.items() if one.until > now}

    def next_try(self, now: float) -> float:
        """When the next of them may be tried (monotonic s); infinite where none waits."""
        untils = [one.until for each in (self._struck, self._unfit) for one in each.values()]
        return min((until for until in untils if until > now), default=float("inf"))

    def conditions(self) -> Iterator[Condition]:
        """What is wrong, one for each kind of message."""
        told: set[str] = set()
        for name, one in {**self._struck, **self._unfit}.items():
            if one.strikes >= PROVEN and one.reason not in told:
                told.add(one.reason)
                what = name if "/" in name else "an alert"
                reason = f"the broker does not accept {what}; all else is delivered: {one.reason}"
                yield Condition(
                    ConditionName.BROKER_LIMITS, "low" if "/" in name else "medium", one.since, reason
                )


def key(message: Message) -> str:
    """Of a retained document its topic, as each new one replaces it; of all others their id."""
    return message.topic if message.retain else message.id


def _rest(message: Message, strikes: int) -> float:
    """How long a message waits before it is tried again (s)."""
    if message.is_alarm:
        first, longest = FIRST_URGENT_PAUSE, LONGEST_URGENT_PAUSE
    else:
        first, longest = FIRST_PAUSE, LONGEST_PAUSE
    return min(longest, first * 2.0 ** min(strikes - PROVEN, 10))


def _remember(where: dict[str, _Trouble], name: str, trouble: _Trouble) -> None:
    where.pop(name, None)
    where[name] = trouble
    if len(where) > LIMIT:
        del where[next(iter(where))]
