"""Obeys what people ask of a source over MQTT, and answers."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from vser_stream.adapters.mqtt import Received
from vser_stream.core.commands import (
    Ack,
    Address,
    Allowance,
    Answer,
    Command,
    Feedback,
    Pause,
    Resume,
    address_of,
    is_answer_topic,
    parse,
)
from vser_stream.core.messages import State, utc
from vser_stream.errors import CommandError
from vser_stream.runtime.listener import new_id
from vser_stream.values import Message

__all__ = ["CommandDesk", "Commanded", "KeepFeedback"]

RATE, BURST = 2.0, 20
"""Commands obeyed each second in the long run, and at once: far above any person, far below a flood."""

REMEMBERED = 256
"""Obeyed commands whose repetition is recognised."""

SOMEBODY = "somebody"
"""Who does not say who they are."""

ANSWER_WITHIN = 30.0
"""Nobody waits longer for an answer (s)."""

_log = logging.getLogger(__name__)


KeepFeedback = Callable[[str, Feedback], Awaitable[None]]
"""Keeps what somebody thinks of an alarm of a source; raises CommandError where it cannot."""


class Commanded(Protocol):
    """A source that can be asked for something; says whether there was anything to do."""

    @property
    def name(self) -> str:
        """Of the source."""
        ...

    def state(self) -> State:
        """Current condition."""
        ...

    async def acknowledge(self, *, by: str, alert_id: str, seq: int | None = None) -> None:
        """Somebody takes care of the alarm they have seen; raises CommandError where it is another one."""
        ...

    async def pause(self, *, for_s: float, by: str) -> None:
        """Raise nothing below panic for a while."""
        ...

    async def resume(self) -> bool:
        """End a pause."""
        ...


class CommandDesk:
    """Obeys commands one after the other.

    Args:
        site: Of the agent.
        sources: Those that are listened to now.
        keep_feedback: Where it is kept.
    """

    def __init__(
        self, site: str, *, sources: Callable[[], Iterable[Commanded]], keep_feedback: KeepFeedback
    ) -> None:
        self._site, self._sources = site, sources
        self._keep_feedback = keep_feedback
        self._allowance = Allowance(rate=RATE, burst=BURST)
        self._obeyed: OrderedDict[tuple[Address, str], Answer] = OrderedDict()
        self.ignored = 0
        """Commands that came too fast to be looked at."""

    async def receive(self, received: Received) -> Message | None:
        """Obey a command; return the answer where its sender wants one."""
        address = address_of(received.topic, site=self._site)
        if address is None:
            return None
        if not self._allowance.take(time.monotonic()):
            self.ignored += 1
            if self.ignored % BURST == 1:  # the log is not to be flooded either
                _log.warning("commands come too fast and are ignored: count=%d", self.ignored)
            return None
        answer = await self._answer(address, received)
        return self._message(answer, received)

    async def _answer(self, address: Address, received: Received) -> Answer:
        source = next((one for one in self._sources() if one.name == address.source), None)
        command, error = None, None
        try:
            command = _read(address.verb, received)
            if repeated := self._obeyed.get((address, command.id or "")):
                return repeated
            await self._obey(command, self._known(source, address))
        except CommandError as exc:
            error = str(exc)
        by = _who(command) if command else SOMEBODY
        _log.log(
            logging.WARNING if error else logging.INFO,
            "command %.64r: source=%.64r by=%s: %s",
            address.verb,
            address.source,
            by,
            error or "obeyed",
        )
        answer = Answer(
            site=self._site,
            source=address.source,
            command=address.verb,
            id=command and command.id,
            ok=error is None,
            error=error,
            state=source and source.state(),
            answered_at=utc(time.time()),
        )
        if answer.ok and answer.id:
            self._remember(address, answer)
        return answer

    def _known(self, source: Commanded | None, address: Address) -> Commanded:
        if source is None:
            names = ", ".join(one.name for one in self._sources())
            raise CommandError(f"no source {address.source[:64]!r} here; sources: {names}")
        return source

    async def _obey(self, command: Command, source: Commanded) -> None:
        match command:
            case Ack(alert_id=None):
                # Whoever says none has seen none: it might be for an alarm that has just begun.
                raise CommandError("say which alarm: alert_id and seq, as the state of the source tells them")
            case Ack(alert_id=str(alert_id), seq=seq):
                await source.acknowledge(by=_who(command), alert_id=alert_id, seq=seq)
            case Pause(minutes=minutes):
                await source.pause(for_s=minutes * 60, by=_who(command))
            case Resume():
                if not await source.resume():
                    raise CommandError(f"{source.name} is not paused; nothing to do")
            case Feedback():
                await self._keep_feedback(source.name, command)

    def _remember(self, address: Address, answer: Answer) -> None:
        self._obeyed[address, answer.id or ""] = answer
        if len(self._obeyed) > REMEMBERED:
            self._obeyed.popitem(last=False)

    def _message(self, answer: Answer, received: Received) -> Message | None:
        topic = received.response_topic
        if topic is None:
            return None
        if not is_answer_topic(topic, site=self._site):
            _log.warning("command: no answer to a topic that is not for answers: topic=%r", topic[:64])
            return None
        return Message(
            topic=topic,
            payload=answer.model_dump_json().encode(),
            qos=1,
            retain=False,
            id=new_id(),
            expires_at=time.time() + ANSWER_WITHIN,
        )


def _read(verb: str, received: Received) -> Command:
    if received.retain:
        raise CommandError("it was retained by the broker and is ignored; send it without the retain flag")
    return parse(verb, received.payload, now=time.time())


def _who(command: Command) -> str:
    return command.by or SOMEBODY
