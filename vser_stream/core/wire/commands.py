"""What people may ask of a source over MQTT.

Whoever may publish there is a stranger: everything is checked, nothing unknown is accepted,
and each refusal is one line that says what would be right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError

from vser_stream.config.schema import LONGEST_PAUSE
from vser_stream.core.wire import topics
from vser_stream.core.wire.documents import Document, State
from vser_stream.errors import CommandError, UnreadableCommandError

__all__ = [
    "COMMANDS",
    "LARGEST_COMMAND",
    "LARGEST_CORRELATION",
    "Ack",
    "Address",
    "Allowance",
    "Answer",
    "Command",
    "Feedback",
    "Pause",
    "Resume",
    "Verb",
    "address_of",
    "is_answer_topic",
    "parse",
]

LARGEST_COMMAND = 2048
"""No command needs more (bytes)."""

LONGEST_NAME = 64
"""Of a source or a person (characters)."""

LONGEST_ANSWER_TOPIC, MOST_LEVELS = 256, 16
"""Bytes, and levels, of the topic of an answer: long enough for any; Mosquitto drops who sends over 200."""

LARGEST_CORRELATION = 256
"""What an answer carries back; brokers drop who sends more than their packet limit (bytes)."""

# What would make a terminal do something, or turn the words around it.
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+$",
    ),
]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


NO_OBJECT = {"json_invalid", "model_type"}
"""What pydantic calls a payload that is no JSON object."""


def _word(value: object) -> object:
    """JSON has true and false of its own, and both are meant."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


class Verb(StrEnum):
    """Last level of a command's topic."""

    ACK = "ack"
    PAUSE = "pause"
    RESUME = "resume"
    FEEDBACK = "feedback"


class Command(Document):
    """What every command may say."""

    id: Id | None = Field(None, description="the same command sent twice is carried out once")
    by: Name | None = Field(None, description="who sends it, as shown to others; not authenticated")
    expires_at: AwareDatetime | None = Field(None, description="ignored when it arrives later")


class Ack(Command):
    """Somebody has seen the alarm and takes care."""

    alert_id: Id | None = Field(None, description="of the alarm that was seen; required")
    seq: int | None = Field(
        None,
        ge=1,
        description="of its latest alert that was seen; refused if it has escalated since",
    )


class Pause(Command):
    """No alarms of this source for a while."""

    minutes: Annotated[float, Field(gt=0, le=LONGEST_PAUSE / 60, allow_inf_nan=False)]


class Resume(Command):
    """End a pause early."""


class Feedback(Command):
    """Was the alarm right? Kept with its evidence; it never changes the alarm.

    One that was right is not taken for what the room is like by itself.
    """

    alert_id: Id
    verdict: Annotated[Literal["true", "false", "unsure"], BeforeValidator(_word)]
    note: Annotated[str, Field(max_length=500)] | None = None


COMMANDS: Mapping[Verb, type[Command]] = {
    Verb.ACK: Ack,
    Verb.PAUSE: Pause,
    Verb.RESUME: Resume,
    Verb.FEEDBACK: Feedback,
}


class Answer(Document):
    """What became of a command, to the response topic of its sender (MQTT 5)."""

    schema_: Literal["vser.answer/1"] = Field("vser.answer/1", alias="schema")
    site: str
    source: str
    command: str
    id: str | None = Field(description="of the command")
    ok: bool
    error: str | None = Field(description="why it was refused")
    state: State | None = Field(description="of the source after it; null where there is no such source")
    answered_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a command is for, and what it asks."""

    source: str
    verb: str


def address_of(topic: str, *, site: str) -> Address | None:
    """Address of a command of this site; None for any other topic, and for names longer than any is."""
    match topics.parse(topic):
        case topics.Topic(site=name, source=str(source), last=verb, is_command=True) if (
            name == site and max(len(source), len(verb)) <= LONGEST_NAME
        ):
            return Address(source, verb)
        case _:
            return None


def parse(verb: str, payload: bytes, *, now: float) -> Command:
    """Read a command that arrived at wall time ``now`` (s); an empty payload is an empty document.

    Raises:
        UnreadableCommandError: It is no command.
        CommandError: It cannot be obeyed, or no longer.
    """
    if verb not in set(Verb):
        raise CommandError(f"unknown command {verb!r}; known: {', '.join(Verb)}")
    if len(payload) > LARGEST_COMMAND:
        raise UnreadableCommandError(f"{len(payload)} bytes are too many; send at most {LARGEST_COMMAND}")
    model = COMMANDS[Verb(verb)]
    try:
        command = model.model_validate_json(payload or b"{}")
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        unreadable = error["type"] in NO_OBJECT
        raise (UnreadableCommandError if unreadable else CommandError)(_in_words(error, model)) from exc
    if command.expires_at is not None and command.expires_at.timestamp() < now:
        raise CommandError("arrived after its expires_at and was ignored; send it again")
    return command


def is_answer_topic(topic: str, *, site: str, reserved: Collection[str] = ()) -> bool:
    """Whether an answer may go there: never where we or others speak, so nobody can make us lie.

    Nor anywhere a broker might drop us for.

    Args:
        topic: Where its sender wants it.
        site: Of the agent.
        reserved: More first levels where documents are believed.
    """
    if not 0 < len(topic.encode(errors="replace")) <= LONGEST_ANSWER_TOPIC or not topic.isprintable():
        return False
    first, *rest = topic.split("/")
    if set(topic) & set("+#") or first.startswith("$") or len(rest) >= MOST_LEVELS:
        return False
    return topic.startswith(topics.answers(site)) or first not in {*topics.SPOKEN_FOR, *reserved}


class Allowance:
    """How often something may happen: a bucket that fills with time.

    Args:
        rate: Lasting limit (1/s).
        burst: This many at once after a quiet time.
    """

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = float(burst), 0.0

    def take(self, now: float) -> bool:
        """Whether it may happen at ``now`` (monotonic s); if so, it counts."""
        self._left = min(self._burst, self._left + self._rate * (now - self._at))
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _in_words(error: Any, model: type[Command]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    fields = ", ".join(model.model_fields)
    match error["type"]:
        case "extra_forbidden":
            return f"unknown field {field[:64]!r}; known: {fields}"
        case "missing":
            return f"field {field!r} is missing"
        case kind if kind in NO_OBJECT:
            return f"not a JSON object; known fields: {fields}"
        case _:
            return f"{field}: {error['msg'][:200]}"
