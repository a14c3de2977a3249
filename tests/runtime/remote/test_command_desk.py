from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from support.documents import attributes_in
from support.ward import Ward, Wards

from vser_stream.adapters.mqtt.client import Received
from vser_stream.core.wire.cloudevents import attributes_of
from vser_stream.core.wire.commands import Feedback
from vser_stream.errors import CommandError
from vser_stream.runtime.remote.command_desk import BURST, CommandDesk

LOST = "lost"


class Keep:
    async def keep(self, source: str, feedback: Feedback) -> None:
        if feedback.alert_id == LOST:
            raise CommandError("the disk is full")
        kept.append(f"{source} {feedback.alert_id} {feedback.verdict} {feedback.note}")


kept: list[str] = []


@pytest.fixture
def ward() -> Ward:
    return Ward()


@pytest.fixture
def desk(ward: Ward) -> CommandDesk:
    kept.clear()
    return CommandDesk("home", Wards([ward]), feedback=Keep(), reserved=["ha"])


def command(verb: str, payload: str = "", *, source: str = "bed", **more: Any) -> Received:
    where = {"retain": False, "response_topic": "vser/v1/home/answers/x", "correlation": b"c", **more}
    return Received(f"vser/v1/home/{source}/cmd/{verb}", payload.encode(), **where)


async def answer(desk: CommandDesk, received: Received) -> dict[str, Any]:
    message = await desk.receive(received)
    assert message is not None
    assert (message.topic, message.qos, message.retain) == (received.response_topic, 1, False)
    assert attributes_of(message) == attributes_in(message)
    return dict(json.loads(message.payload))


async def test_an_obeyed_command_is_answered_with_the_state_after_it(desk: CommandDesk, ward: Ward) -> None:
    told = await answer(desk, command("ack", '{"alert_id": "a1b2c3", "seq": 7, "by": "Ana", "id": "c1"}'))
    assert {key: told[key] for key in ("schema", "site", "source", "command", "id", "ok", "error")} == {
        "schema": "vser.answer/1",
        "site": "home",
        "source": "bed",
        "command": "ack",
        "id": "c1",
        "ok": True,
        "error": None,
    }
    assert (told["state"]["condition"], told["state"]["alert_id"]) == ("calm", None)
    assert ward.asked == ["acknowledge a1b2c3 seq 7 by Ana"]


@pytest.mark.parametrize(
    ("received", "error"),
    [
        (
            command("ack", '{"alert_id": "other"}'),
            "no alarm other of bed is unacknowledged; see its state",
        ),
        (
            command("ack", '{"by": "Ana"}'),
            "name the alarm: alert_id and seq, as in the state of the source",
        ),
        (command("resume"), "bed is not paused; nothing to do"),
        (command("ack", source="attic"), "no source 'attic' here; sources: bed"),
        (command("dance"), "unknown command 'dance'; known: ack, pause, resume, feedback"),
        (command("ack", '{"no": 1}'), "unknown field 'no'; known: id, by, expires_at, alert_id, seq"),
        (command("feedback", '{"alert_id": "lost", "verdict": true}'), "the disk is full"),
    ],
)
async def test_a_command_that_cannot_be_obeyed_is_answered_with_why(
    desk: CommandDesk, received: Received, error: str
) -> None:
    told = await answer(desk, received)
    assert (told["ok"], told["error"]) == (False, error)


@pytest.mark.parametrize(
    "received",
    [
        command("ack", '{"alert_id": "a1b2c3"}', retain=True),
        command("ack", "now!"),
        command("ack", "[" * 2000),
        command("ack", " " * 3000),
        command("x" * 65),
    ],
)
async def test_what_is_retained_or_cannot_be_read_does_nothing_and_is_never_answered(
    desk: CommandDesk, ward: Ward, received: Received
) -> None:
    assert await desk.receive(received) is None
    assert ward.asked == []


@pytest.mark.parametrize(
    "more",
    [
        {"response_topic": "vser/v1/home/answers/" + "/" * 230},
        {"response_topic": "vser/v1/home/answers/" + "a" * 300},
        {"response_topic": "vser/v1/home/answers/\u0001"},
        {"response_topic": "vser/v1/home/answers/\ufffe"},
        {"response_topic": "ha/device/home/config"},
        {"correlation": b"c" * 257},
    ],
)
async def test_an_answer_over_which_a_broker_could_drop_us_is_not_given(
    desk: CommandDesk, ward: Ward, more: dict[str, Any]
) -> None:
    assert await desk.receive(command("ack", '{"alert_id": "a1b2c3"}', **more)) is None
    assert ward.asked == ["acknowledge a1b2c3 seq None by somebody"]


class Strict(Ward):
    """Knows its one alert by seq 1."""

    async def acknowledge(self, *, by: str, alert_id: str, seq: int | None = None) -> None:
        if seq != 1:
            raise CommandError("it has escalated since")
        await super().acknowledge(by=by, alert_id=alert_id, seq=seq)


async def test_a_flood_of_one_kind_starves_no_other_and_no_honest_acknowledgement() -> None:
    strict = Strict()
    desk = CommandDesk("home", Wards([strict]), feedback=Keep())
    for _ in range(200):
        await desk.receive(command("ack", "{}"))
        await desk.receive(command("ack", '{"alert_id": "other"}'))
        await desk.receive(command("ack", '{"alert_id": "a1b2c3", "seq": 9}'))
        await desk.receive(command("resume", source="attic"))
    assert (await answer(desk, command("resume")))["error"] == "bed is not paused; nothing to do"
    seen = '{"alert_id": "a1b2c3", "seq": 1}'
    told = [await answer(desk, command("ack", seen)) for _ in range(40)]
    assert [one["ok"] for one in told] == [True] + [False] * 39
    assert "is unacknowledged" in told[-1]["error"]


async def test_the_same_command_is_obeyed_once_and_answered_alike(desk: CommandDesk, ward: Ward) -> None:
    pause = command("pause", '{"minutes": 1.5, "id": "p1"}')
    assert await answer(desk, pause) == await answer(desk, pause)
    await answer(desk, command("resume", '{"id": "p1"}'))
    assert ward.asked == ["pause 90 s by somebody", "resume"]


async def test_one_that_was_refused_may_be_sent_again(desk: CommandDesk, ward: Ward) -> None:
    ward.alert_id = None
    ack = command("ack", '{"alert_id": "a1b2c3", "id": "c1"}')
    assert (await answer(desk, ack))["ok"] is False
    ward.alert_id = "a1b2c3"
    assert (await answer(desk, ack))["ok"] is True


async def test_feedback_is_kept_and_the_source_learns_whether_it_was_right(
    desk: CommandDesk, ward: Ward
) -> None:
    for verdict in ("true", "false", "unsure"):
        await answer(desk, command("feedback", f'{{"alert_id": "a-{verdict}", "verdict": "{verdict}"}}'))
    await answer(desk, command("feedback", '{"alert_id": "lost", "verdict": "false"}'))
    assert ward.asked == ["a-true was right", "a-false was wrong"]


async def test_feedback_is_kept_and_changes_nothing(desk: CommandDesk, ward: Ward) -> None:
    told = await answer(desk, command("feedback", '{"alert_id": "a1", "verdict": "unsure", "note": "TV"}'))
    assert (told["ok"], kept, ward.asked) == (True, ["bed a1 unsure TV"], [])
    assert told["state"]["condition"] == "panic"


async def test_without_a_response_topic_a_command_is_obeyed_without_an_answer(
    desk: CommandDesk, ward: Ward
) -> None:
    assert await desk.receive(command("ack", '{"alert_id": "a1b2c3"}', response_topic=None)) is None
    assert ward.asked == ["acknowledge a1b2c3 seq None by somebody"]


async def test_nobody_makes_us_speak_on_our_own_topics(desk: CommandDesk) -> None:
    assert await desk.receive(command("ack", response_topic="vser/v1/home/status")) is None


async def test_a_flood_is_ignored_and_does_not_flood_the_log(
    desk: CommandDesk, ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(BURST * 10):
        await desk.receive(command("ack", '{"alert_id": "other"}'))
    assert BURST <= len(ward.asked) <= BURST + 2
    assert desk.ignored == BURST * 10 - len(ward.asked)
    assert len(caplog.records) <= BURST + 12


async def test_what_is_no_command_is_left_alone(desk: CommandDesk, ward: Ward) -> None:
    assert (
        await desk.receive(
            Received("vser/v1/other/bed/cmd/ack", b"", retain=False, response_topic="a", correlation=None)
        )
        is None
    )
    assert ward.asked == []
