from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from vser_stream.config.schema import HomeAssistantConfig
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.values import Memory, Message, Record


class Kept:
    """What was committed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        assert memory is None
        assert not records
        self.messages += messages


def announcements(store: Kept, *, enabled: bool = True, prefix: str = "homeassistant") -> Announcements:
    config = HomeAssistantConfig(enabled=enabled, prefix=prefix)
    return Announcements("home", config, health_every=30.0, store=store)


def test_home_assistant_says_that_it_has_started_where_its_prefix_is() -> None:
    assert announcements(Kept()).birth == "homeassistant/status"
    assert announcements(Kept(), prefix="ha/x").birth == "ha/x/status"
    assert announcements(Kept(), enabled=False).birth is None


async def test_an_earlier_release_s_entities_are_let_go_of_once_and_before_all_else() -> None:
    store = Kept()
    one = announcements(store)
    await one.present(["bed"])
    first = len(store.messages)
    assert b"migrate_discovery" in store.messages[0].payload
    assert not store.messages[0].retain
    await one.present(["bed"])
    assert not any(b"migrate_discovery" in message.payload for message in store.messages[1:])
    assert len(store.messages) == 2 * first - 1


async def test_the_site_and_each_source_are_presented_for_whoever_comes_later() -> None:
    store = Kept()
    await announcements(store, prefix="ha").present(["bed", "hall"])
    presented = {
        message.topic: message
        for message in store.messages
        if message.payload[:2] == b'{"' and message.retain
    }
    assert set(presented) == {
        "ha/device/home/config",
        "ha/device/home/bed/config",
        "ha/device/home/hall/config",
    }
    assert all(json.loads(message.payload) for message in presented.values())
    assert len({message.id for message in store.messages}) == len(store.messages)


async def test_where_home_assistant_is_not_wanted_nothing_is_told() -> None:
    store = Kept()
    one = announcements(store, enabled=False)
    await one.present(["bed"])
    assert list(one.of(["bed"])) == store.messages == []


@pytest.mark.parametrize("enabled", [True, False])
async def test_nothing_is_left_of_a_source_that_is_gone(*, enabled: bool) -> None:
    store = Kept()
    await announcements(store, enabled=enabled).forget("bed")
    topics = [message.topic for message in store.messages]
    device = ["homeassistant/device/home/bed/config"] if enabled else []
    assert topics == [*device, "vser/v1/home/bed/state", "vser/v1/home/bed/health"]
    assert all(message.retain and not message.payload for message in store.messages), (
        "empty: the broker forgets"
    )
