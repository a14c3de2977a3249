"""A broker that stays away is a technical condition."""

import asyncio

import pytest
from support.broker import Mosquitto
from support.delivery import Subscriber, connected, deliver, running

from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.core.condition import ConditionName


async def test_it_is_told_after_a_while_and_over_with_the_connection(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vser_stream.runtime.delivery.AWAY_AFTER", 0.2)
    delivery = deliver(outbox, server, subscriber)
    assert list(delivery.conditions()) == []
    await asyncio.sleep(0.25)
    assert [one.name for one in delivery.conditions()] == [ConditionName.BROKER_AWAY]
    async with running(delivery):
        await connected(delivery)
        assert list(delivery.conditions()) == []
