"""One document of each kind, and what a message is about as its payload alone tells."""

import json

from support.decisions import START, decision

from vser_stream.core.alarm.state import AlarmEvent, Priority, Signal, Transition
from vser_stream.core.wire.documents import (
    Alert,
    CaptureState,
    Health,
    Origin,
    State,
    Utterance,
    Versions,
    alert_of,
    utc,
    utterance_of,
)
from vser_stream.values import Label, Message

__all__ = ["PANIC", "alert", "attributes_in", "every_kind", "health", "state", "utterance"]

PANIC = decision(panic=0.9, angry=0.07, calm=0.03, at=3.0)


def alert(
    event: AlarmEvent = AlarmEvent.RAISED,
    level: Label = Label.PANIC,
    *,
    heard: bool = True,
    published_at: float = START + 3.25,
    **changed: object,
) -> Alert:
    document = alert_of(
        Transition(event, level, PANIC, "one decision at 0.90", heard=heard),
        origin=Origin("home-1", "bedroom", Versions(package="0.1.0", model="m@1")),
        event_id="e1",
        alert_id="a1",
        seq=1,
        published_at=published_at,
    )
    return document.model_copy(update=changed)


def utterance() -> Utterance:
    return utterance_of(PANIC, site="home-1", source="bedroom")


def state(*, alert_id: str | None = "a1", updated_at: float = START) -> State:
    return State(
        site="home-1", source="bedroom", condition=Label.PANIC, priority=Priority.HIGH, signal=Signal.ON,
        alert_id=alert_id, since=utc(START), label=Label.PANIC, seq=1, updated_at=utc(updated_at),
    )  # fmt: skip


def health(*, updated_at: float = START) -> Health:
    return Health(
        site="home-1", source="bedroom", capture=CaptureState.RUNNING, reason=None, last_sample_age_s=0.1,
        level_db=None, floor_db=-60.0, restarts=0, gaps=0, dropped_blocks=0, utterances=0, rejected=0,
        baseline_utterances=0, updated_at=utc(updated_at),
    )  # fmt: skip


def every_kind() -> list[Alert | Utterance | State | Health]:
    return [alert(), utterance(), state(), state(alert_id=None), health()]


def attributes_in(message: Message) -> dict[str, str]:
    """CloudEvents attributes of a document of ours, from its payload, as subscribers could make them."""
    document = json.loads(message.payload)
    kind, version = document["schema"].removeprefix("vser.").split("/")
    event = f".{document['event']}" if "event" in document else ""
    made_at = ("published_at", "updated_at", "answered_at", "ended_at")
    return {
        "specversion": "1.0",
        "id": message.id,
        "source": f"urn:vser:{document['site']}:{document['source']}",
        "type": f"io.vser.{kind}{event}.v{version}",
        **({"subject": document["alert_id"]} if document.get("alert_id") else {}),
        "time": next(document[name] for name in made_at if name in document),
    }
