"""``vser-stream ack``, ``pause`` and ``resume``: commands to a source, and its answer.

Exit codes: 0 obeyed; 2 refused, or no such alarm; 5 the broker is away, refuses, or nobody answers.
"""

from __future__ import annotations

import asyncio
import getpass
import re
import secrets
import time
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from vser_stream.adapters.mqtt.client import MqttPublisher, Received
from vser_stream.adapters.system.untrusted_text import printable
from vser_stream.cli._options_site import at_site
from vser_stream.config.schema import MqttConfig
from vser_stream.core.wire import topics
from vser_stream.core.wire.commands import COMMANDS, Ack, Answer, Command, Pause, Resume
from vser_stream.core.wire.documents import State, utc
from vser_stream.errors import CommandError, PublishError
from vser_stream.values import Message, MessageKind

__all__ = ["ack", "pause", "resume"]

STATES = 0.2
"""Share of the wait: retained states come at once after subscribing, an answer takes the source's turn."""

SOURCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a source may be called."""

C = TypeVar("C", bound=Command)

By = Annotated[str | None, typer.Option(help="Your name, shown to others; default: your login name.")]
Source = Annotated[str, typer.Argument(help="Name of the source.")]
Wait = Annotated[float, typer.Option(min=0.1, max=600.0, help="Longest wait for an answer (s).")]


@at_site
def ack(
    broker: MqttConfig,
    site: str,
    alert_id: Annotated[str, typer.Argument(help="Id of the alarm; its first characters are enough.")],
    seq: Annotated[
        int | None,
        typer.Option(
            min=1, help="Sequence number of the latest alert you have seen; default: the current one."
        ),
    ] = None,
    by: By = None,
    wait: Wait = 5.0,
) -> None:
    """Acknowledge an alarm: somebody has seen it and takes care.

    Refused if it has escalated since; check again, then.
    """
    asyncio.run(_acknowledge(broker, site, alert_id, seq=seq, by=by or getpass.getuser(), wait=wait))


@at_site
def pause(
    broker: MqttConfig,
    site: str,
    source: Source,
    minutes: Annotated[
        float, typer.Option(help="Duration; limited by alarm.longest_pause, the answer says when it ends.")
    ],
    by: By = None,
    wait: Wait = 5.0,
) -> None:
    """Raise no alarm but panic of a source for some minutes; it says so on its topics."""
    command = _made(Pause, minutes=minutes, by=by or getpass.getuser())
    asyncio.run(_ask(broker, site, source, command, wait=wait))


@at_site
def resume(broker: MqttConfig, site: str, source: Source, by: By = None, wait: Wait = 5.0) -> None:
    """End the pause of a source."""
    asyncio.run(_ask(broker, site, source, _made(Resume, by=by or getpass.getuser()), wait=wait))


async def _acknowledge(
    broker: MqttConfig, site: str, alert_id: str, *, seq: int | None, by: str, wait: float
) -> None:
    async with MqttPublisher(broker) as connection:
        state = await _state_of(connection, site, alert_id, within=STATES * wait)
        seen = _made(Ack, alert_id=state.alert_id, seq=seq or state.seq, by=by)
        await _command(connection, site, state.source, seen, wait=wait)


def _made(model: type[C], **fields: object) -> C:
    """A command as somebody wants it.

    Raises:
        CommandError: It is none.
    """
    try:
        return model(**fields)
    except ValidationError as exc:
        error = exc.errors()[0]
        name = str(error["loc"][0])
        raise CommandError(f"{name} {str(fields.get(name))[:64]!r}: {error['msg']}") from exc


async def _ask(broker: MqttConfig, site: str, source: str, command: Command, *, wait: float) -> None:
    async with MqttPublisher(broker) as connection:
        await _command(connection, site, source, command, wait=wait)


async def _state_of(connection: MqttPublisher, site: str, alert_id: str, *, within: float) -> State:
    """State of the source whose open alarm has this id, or begins with it."""
    await connection.subscribe(topics.document(site, topics.ANY, MessageKind.STATE))
    open_alarms: dict[str, State] = {}
    try:
        async with asyncio.timeout(within):
            async for received in connection.received():
                state = _state(received)
                if state and state.alert_id:
                    open_alarms[state.alert_id] = state
                    if state.alert_id == alert_id:
                        return state
    except TimeoutError:
        pass
    matching = [state for name, state in open_alarms.items() if name.startswith(alert_id)]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(f"{printable(name)} ({state.source})" for name, state in open_alarms.items()) or "none"
    raise CommandError(f"{len(matching)} open alarms at {site} begin with {alert_id!r}; open: {known}")


def _state(received: Received) -> State | None:
    try:
        state = State.model_validate_json(received.payload)
    except ValidationError:
        return None  # of another release, or removed
    return state if received.topic == topics.document(state.site, state.source, MessageKind.STATE) else None


async def _command(
    connection: MqttPublisher, site: str, source: str, command: Command, *, wait: float
) -> None:
    """Send a command and print what became of it.

    Raises:
        CommandError: The source does not obey.
        PublishError: Nobody answers.
    """
    if not SOURCE.fullmatch(source):
        raise CommandError(f"no source {source[:64]!r}; give its name as the configuration has it")
    identity = secrets.token_hex(8)
    answers = topics.answers(site, identity)
    now = time.time()
    sent = command.model_copy(update={"id": identity, "expires_at": utc(now + wait)})
    verb = next(verb for verb, model in COMMANDS.items() if model is type(command))
    await connection.subscribe(answers)
    await connection.publish(
        Message(
            topic=topics.command(site, source, verb),
            payload=sent.model_dump_json(exclude_none=True).encode(),
            qos=1,
            retain=False,
            id=identity,
            expires_at=now + wait,
        ),
        response_topic=answers,
        correlation=identity.encode(),
    )
    if not connection.answers:
        print(f"{verb} {source}: sent; this broker (MQTT 3.1.1) does not return answers")
        return
    answer = await _answer(connection, identity, within=wait)
    if answer is None:
        raise PublishError(
            f"no answer from {site}/{source} within {wait:g} s; check with vser-stream watch whether it runs"
        )
    if not answer.ok:
        raise CommandError(f"{verb} {source}: {printable(answer.error or 'refused')}")
    print(f"{verb} {source}: done; {printable(_in_words(answer.state) if answer.state else '')}")


async def _answer(connection: MqttPublisher, identity: str, *, within: float) -> Answer | None:
    try:
        async with asyncio.timeout(within):
            async for received in connection.received():
                if received.correlation == identity.encode():
                    return Answer.model_validate_json(received.payload)
    except TimeoutError:
        return None
    except ValidationError as exc:
        raise PublishError("the answer is not of this release; check with vser-stream watch") from exc
    raise await connection.closed()


def _in_words(state: State) -> str:
    alarm = f"{state.condition} alarm, signal {state.signal}" if state.alert_id else "no alarm"
    if state.paused is None:
        return alarm
    return f"{alarm}, paused by {state.paused.by} until {state.paused.until.astimezone():%H:%M:%S}"
