"""Obeys what people ask of a source over MQTT, and answers."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol

from vser_stream.adapters.mqtt.client import Received
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.core.alarm.state import Signal
from vser_stream.core.wire.commands import (
    LARGEST_CORRELATION,
    Ack,
    Address,
    Allowance,
    Answer,
    Command,
    Feedback,
    Pause,
    Resume,
    Verb,
    address_of,
    is_answer_topic,
    parse,
)
from vser_stream.core.wire.documents import State, utc
from vser_stream.errors import CommandError, UnreadableCommandError
from vser_stream.ports import Clock
from vser_stream.runtime.source.documents import new_id
from vser_stream.values import About, Message, MessageKind

__all__ = ["CommandDesk", "Commanded", "CommandedSources", "FeedbackStore"]

RATE, BURST = 0.5, 10
"""Commands of one kind for one source, obeyed each second in the long run, and at once: above any person."""

LINES, FIRST_LINES = 0.1, 5
"""Lines in the log on what is ignored, each second in the long run, and at once."""

REMEMBERED = 256
"""Obeyed commands whose repetition is recognised."""

SOMEBODY = "somebody"
"""Who does not say who they are."""

ANSWER_WITHIN = 30.0
"""Nobody waits longer for an answer (s)."""

_log = logging.getLogger(__name__)


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

    async def confirm(self, alert_id: str, *, right: bool) -> None:
        """Learn whether an alarm was right."""
        ...


class CommandedSources(Protocol):
    """Knows who can be asked."""

    @property
    def listeners(self) -> Sequence[Commanded]:
        """Those that are listened to now."""
        ...


class FeedbackStore(Protocol):
    """Keeps what somebody thinks of an alarm of a source."""

    async def keep(self, source: str, feedback: Feedback) -> None:
        """Return once it is kept; raises CommandError where it cannot be."""
        ...


class CommandDesk:
    """Obeys commands one after the other.

    Args:
        site: Of the agent.
        sources: Whom it may ask.
        feedback: Where that is kept.
        reserved: First levels of topics where others' documents are believed, so no answer goes there.
        clock: What time it is.
    """

    def __init__(
        self,
        site: str,
        sources: CommandedSources,
        *,
        feedback: FeedbackStore,
        reserved: Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._site, self._sources = site, sources
        self._feedback = feedback
        self._reserved, self._clock = tuple(reserved), clock
        self._allowances: dict[tuple[str, str, bool], Allowance] = {}
        self._lines: dict[str, Allowance] = {}
        self._obeyed: OrderedDict[tuple[Address, str], Answer] = OrderedDict()
        self._done: dict[str, str] = {}
        self.ignored = 0
        """Commands that came too fast to be looked at, or that nobody can read."""

    async def receive(self, received: Received) -> Message | None:
        """Obey a command; return the answer where its sender wants one.

        What the broker kept and what nobody can read is never answered: somebody could have us answer
        it at each connection, for ever.
        """
        address = address_of(received.topic, site=self._site)
        if address is None:
            return None
        source = next((one for one in self._sources.listeners if one.name == address.source), None)
        command: Command | CommandError
        try:
            command = _read(address.verb, received, now=self._clock.wall())
        except UnreadableCommandError as exc:
            self._ignore(address, f": {exc}")
            return None
        except CommandError as exc:
            command = exc
        if source is not None and isinstance(command, Ack) and self._is_done(command, source):
            error = f"no alarm {command.alert_id} of {source.name} is unacknowledged; see its state"
            return self._message(self._answer_of(address, source, command, error=error), received)
        if not self._may(address, source, command):
            self._ignore(address, "", because="come too fast")
            return None
        answer = await self._answer(address, source, command)
        return self._message(answer, received)

    def _is_done(self, command: Ack, source: Commanded) -> bool:
        """Whether it acknowledges what is acknowledged already: that costs little, however often it comes."""
        state = source.state()
        if state.alert_id == command.alert_id:
            return state.alert_id is not None and state.signal is Signal.ACKNOWLEDGED
        return command.alert_id is not None and command.alert_id == self._done.get(source.name)

    def _may(self, address: Address, source: Commanded | None, command: Command | CommandError) -> bool:
        """Whether there was not too much of the kind: a flood of one must not drown all others.

        Who acknowledges the alarm that is open, as it is, is always heard: the next one finds it done.
        """
        named = False
        if source is not None and isinstance(command, Ack) and command.alert_id is not None:
            state = source.state()
            named = state.alert_id == command.alert_id
            if named and command.seq in {None, state.seq}:
                return True
        verb = address.verb if address.verb in set(Verb) else ""
        kind = (source.name if source is not None else "", verb, named)
        allowance = self._allowances.setdefault(kind, Allowance(rate=RATE, burst=BURST))
        return allowance.take(self._clock.monotonic())

    def _ignore(
        self, address: Address, why: str, *, because: str = "were retained or cannot be read"
    ) -> None:
        self.ignored += 1
        lines = self._lines.setdefault(because, Allowance(rate=LINES, burst=FIRST_LINES))
        if lines.take(self._clock.monotonic()):  # the log is not to be flooded either
            _log.warning(
                "commands %s and are ignored: count=%d latest=%.64r source=%.64r%s",
                because,
                self.ignored,
                address.verb,
                address.source,
                why,
            )

    async def _answer(
        self, address: Address, source: Commanded | None, command: Command | CommandError
    ) -> Answer:
        error = None
        try:
            if isinstance(command, CommandError):
                raise command
            if repeated := self._obeyed.get((address, command.id or "")):
                return repeated
            await self._obey(command, self._known(source, address))
        except CommandError as exc:
            error = str(exc)
        _log.log(
            logging.WARNING if error else logging.INFO,
            "command %.64r: source=%.64r by=%s: %s",
            address.verb,
            address.source,
            _who(command),
            error or "obeyed",
        )
        answer = self._answer_of(address, source, command, error=error)
        if answer.ok and answer.id:
            self._remember(address, answer)
        return answer

    def _answer_of(
        self,
        address: Address,
        source: Commanded | None,
        command: Command | CommandError,
        *,
        error: str | None,
    ) -> Answer:
        return Answer(
            site=self._site,
            source=address.source,
            command=address.verb,
            id=None if isinstance(command, CommandError) else command.id,
            ok=error is None,
            error=error,
            state=source and source.state(),
            answered_at=utc(self._clock.wall()),
        )

    def _known(self, source: Commanded | None, address: Address) -> Commanded:
        if source is None:
            names = ", ".join(one.name for one in self._sources.listeners)
            raise CommandError(f"no source {address.source[:64]!r} here; sources: {names}")
        return source

    async def _obey(self, command: Command, source: Commanded) -> None:
        match command:
            case Ack(alert_id=None):
                # Whoever says none has seen none: it might be for an alarm that has just begun.
                raise CommandError("name the alarm: alert_id and seq, as in the state of the source")
            case Ack(alert_id=str(alert_id), seq=seq):
                await source.acknowledge(by=_who(command), alert_id=alert_id, seq=seq)
                self._done[source.name] = alert_id
            case Pause(minutes=minutes):
                await source.pause(for_s=minutes * 60, by=_who(command))
            case Resume():
                if not await source.resume():
                    raise CommandError(f"{source.name} is not paused; nothing to do")
            case Feedback():
                await self._feedback.keep(source.name, command)
                if command.verdict != "unsure":
                    await source.confirm(command.alert_id, right=command.verdict == "true")

    def _remember(self, address: Address, answer: Answer) -> None:
        self._obeyed[address, answer.id or ""] = answer
        if len(self._obeyed) > REMEMBERED:
            self._obeyed.popitem(last=False)

    def _message(self, answer: Answer, received: Received) -> Message | None:
        topic = received.response_topic
        if topic is None:
            return None
        if not is_answer_topic(topic, site=self._site, reserved=self._reserved):
            _log.warning("command not answered: its response topic is not allowed: topic=%r", topic[:64])
            return None
        if len(received.correlation or b"") > LARGEST_CORRELATION:
            _log.warning(
                "command not answered: correlation data of %d bytes", len(received.correlation or b"")
            )
            return None
        return Message(
            topic=topic,
            payload=answer.model_dump_json().encode(),
            qos=1,
            retain=False,
            id=new_id(),
            expires_at=self._clock.wall() + ANSWER_WITHIN,
            about=About(
                MessageKind.ANSWER, answer.site, answer.source, made_at=answer.answered_at.timestamp()
            ),
        )


def _read(verb: str, received: Received, *, now: float) -> Command:
    if received.retain:
        raise UnreadableCommandError(
            "it was retained by the broker and is ignored; send it without the retain flag"
        )
    return parse(verb, received.payload, now=now)


def _who(command: Command | CommandError) -> str:
    by = None if isinstance(command, CommandError) else command.by
    return by or SOMEBODY
