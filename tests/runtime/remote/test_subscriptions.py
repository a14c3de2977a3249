"""What strangers leave on the broker makes no more work than any box of ours would leave."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from support.mqtt import received
from support.ward import NoFeedback, Ward, Wards

from vser_stream.config.schema import HomeAssistantConfig
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.runtime.remote.command_desk import CommandDesk
from vser_stream.runtime.remote.subscriptions import FORGET_BURST, Reception
from vser_stream.values import Memory, Message, Record


@pytest.fixture
def put() -> list[Message]:
    return []


@pytest.fixture
def reception(put: list[Message]) -> Reception:
    class Kept:
        async def commit(
            self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
        ) -> None:
            assert memory is None
            assert not records
            put.extend(messages)

    desk = CommandDesk("home", Wards([Ward()]), feedback=NoFeedback())
    announcements = Announcements("home", HomeAssistantConfig(), health_every=30.0, store=Kept())
    return Reception("home", Wards([]), desk=desk, announcements=announcements)


async def test_an_earlier_source_is_cleared_and_home_assistant_told(
    reception: Reception, put: list[Message]
) -> None:
    await reception.receive(received("vser/v1/home/hall/state", b"{}", retain=True))
    assert {message.topic for message in put} >= {"vser/v1/home/hall/state", "vser/v1/home/hall/health"}
    assert all(message.retain for message in put)


async def test_thousands_of_unknown_states_make_little_work(reception: Reception, put: list[Message]) -> None:
    for number in range(2000):
        await reception.receive(received(f"vser/v1/home/x{number}/state", b"{}", retain=True))
    assert {message.topic.split("/")[3] for message in put if message.topic.endswith("/state")} == {
        f"x{number}" for number in range(FORGET_BURST)
    }
    put.clear()
    await reception.receive(received("homeassistant/status", b"online"))
    assert sum(len(message.payload) for message in put) < 10_000
    assert b"x1" not in b"".join(message.payload for message in put)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "é", "+"])
async def test_what_no_source_of_ours_is_called_is_left_alone(
    reception: Reception, put: list[Message], name: str
) -> None:
    await reception.receive(received(f"vser/v1/home/{name}/state", json.dumps({}).encode(), retain=True))
    assert put == []
