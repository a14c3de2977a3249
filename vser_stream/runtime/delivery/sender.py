"""Which message is sent next, and what becomes of it, over whichever connection there is.

Alarms go first, then what a connection begins with, then all else; last what the broker may not take.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence

from vser_stream.core.wire.documents import in_brief, told_late
from vser_stream.errors import MessageRefusedError, MessageUnfitError, PublishError
from vser_stream.ports import Clock, DeliveryObserver
from vser_stream.runtime.delivery.connection import Connection
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.delivery.standing import Standing
from vser_stream.values import Message

__all__ = ["REFUSED_PAUSE", "Sender", "internal"]

REFUSED_PAUSE = 60.0
"""Before a topic the broker refused is tried again; somebody may have corrected its rules (s)."""

_log = logging.getLogger(__name__)


class Sender:
    """Sends what waits.

    Args:
        keeper: Where messages wait.
        standing: How the broker treats us.
        observer: Told what becomes of each message.
        clock: What time it is.
    """

    def __init__(
        self, keeper: Keeper, standing: Standing, *, observer: DeliveryObserver, clock: Clock
    ) -> None:
        self._keeper, self._standing, self._observer = keeper, standing, observer
        self._clock = clock
        self._refused: dict[str, float] = {}
        self._greeting: list[Message] = []
        self._taken = 0
        self.sent = 0
        """Messages the broker acknowledged."""

        self.failed = 0
        """Publications not acknowledged; the message stays stored."""

    def begin(self, greeting: Iterable[Message]) -> None:
        """Another connection, which begins with ``greeting``: it replaces what waits for the same topics."""
        self._taken = 0
        self._refused.clear()
        self._greeting = list(greeting)
        self._keeper.discard({message.topic for message in self._greeting if message.retain})

    def end(self) -> None:
        """The connection is lost."""
        self._greeting = []

    async def alarm_waits(self) -> bool:
        """Whether there is an alarm that could be sent."""
        return _is_urgent(await self._keeper.next(self._clock.wall(), skip=self._refused_now()))

    def until_next_try(self) -> float:
        """Time until what was not taken may be tried again (s)."""
        now = self._clock.monotonic()
        return min(REFUSED_PAUSE, self._standing.aside.next_try(now) - now)

    async def next(self) -> Message | None:
        """What may be sent now.

        An alarm that was on its way when a connection ended goes second: the broker may have died of
        it, but far more often it just died.
        """
        aside, now = self._standing.aside, self._clock.monotonic()
        refused = self._refused_now()
        behind = refused | aside.all()
        waiting = await self._keeper.next(self._clock.wall(), skip=behind)
        if _is_urgent(waiting):
            return waiting
        if self._taken and behind != refused:
            suspected = await self._keeper.next(self._clock.wall(), skip=refused | aside.hopeless(now))
            if _is_urgent(suspected):
                return suspected
        other = self._first_of_greeting(behind) or waiting
        if other or behind == refused:
            return other
        resting = refused | aside.resting(now)
        return await self._keeper.next(self._clock.wall(), skip=resting) or self._first_of_greeting(resting)

    async def publish(self, connection: Connection, message: Message) -> None:
        """Send a message.

        Raises:
            PublishError: The connection ended over it.
        """
        now = self._clock.monotonic()
        # Part of the greeting that was set aside must not come after what is newer on its topic.
        before, after = _parted(self._greeting, message)
        self._greeting = [*before, *after]
        try:
            await self._hand_over(connection, message)
        except MessageUnfitError as exc:
            self.failed += 1
            self._standing.aside.unfit(message, str(exc), now=now, wall=self._clock.wall())
        except MessageRefusedError as exc:
            self.failed += 1
            self._refused[message.topic] = now + REFUSED_PAUSE
            _log.error("message refused: topic=%s id=%s error=%s", message.topic, message.id, exc)
            self._observer.refused(message.topic, str(exc))
        except Exception as exc:  # a bug that one message finds must not stop all behind it
            self.failed += 1
            error = exc if isinstance(exc, PublishError) else internal(exc)
            self._standing.aside.strike(
                message,
                error,
                took_others=self._taken > 0,
                in_brief=in_brief(message) is not None,
                now=now,
                wall=self._clock.wall(),
            )
            raise
        else:
            self._greeting = [*(one for one in before if one.topic != message.topic), *after]
            self._note_sent(message)

    async def _hand_over(self, connection: Connection, message: Message) -> None:
        """Publish a message, in brief where the broker is known not to take it whole."""
        whole = told_late(message, self._clock.wall())
        proven = self._standing.aside.proven(message)
        brief = in_brief(whole) if proven or self._standing.is_too_long(len(whole.payload)) else None
        reason = "it disconnected at full-size messages"
        if brief is None:
            try:
                await connection.publish(whole)
            except MessageUnfitError as exc:
                brief = in_brief(whole)
                if brief is None or len(brief.payload) >= len(whole.payload):
                    raise
                reason = str(exc)
            else:
                return
        await connection.publish(brief)
        self._standing.shortened(reason, proven_at=len(whole.payload) if proven else None)

    def _note_sent(self, message: Message) -> None:
        self.sent += 1
        self._taken += 1
        self._standing.aside.taken(message)
        self._observer.sent(message)
        self._keeper.delete(message.id)

    def _refused_now(self) -> set[str]:
        """Topics the broker refused lately."""
        now = self._clock.monotonic()
        return {topic for topic, until in self._refused.items() if until > now}

    def _first_of_greeting(self, skip: Collection[str]) -> Message | None:
        fit = (one for one in self._greeting if one.topic not in skip and one.id not in skip)
        return next(fit, None)


def internal(exc: Exception) -> PublishError:
    """A bug, in the words of an outage."""
    return PublishError(f"internal error ({type(exc).__name__})")


def _is_urgent(message: Message | None) -> bool:
    return message is not None and message.is_alarm


def _parted(messages: Sequence[Message], by: Message) -> tuple[list[Message], list[Message]]:
    """What comes before a message and what after it; all comes before one that is not among them."""
    ids = [one.id for one in messages]
    place = ids.index(by.id) if by.id in ids else len(ids)
    return list(messages[:place]), list(messages[place + 1 :])
