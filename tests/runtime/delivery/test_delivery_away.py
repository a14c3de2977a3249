"""A broker that stays away is a technical condition."""

from support.broker import Mosquitto
from support.clock import SetClock
from support.delivery import Subscriber, conditions_of, connected, deliver, running

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.technical_condition import ConditionName
from vser_stream.runtime.delivery.standing import AWAY_AFTER


async def test_it_is_told_after_a_while_and_over_with_the_connection(
    outbox: SqliteOutbox, server: Mosquitto, subscriber: Subscriber
) -> None:
    clock = SetClock()
    delivery = deliver(outbox, server, subscriber, clock=clock)
    clock.forward(AWAY_AFTER - 1)
    assert list(conditions_of(delivery)) == []
    clock.forward(1)
    assert [one.name for one in conditions_of(delivery)] == [ConditionName.BROKER_AWAY]
    async with running(delivery):
        await connected(delivery)
        assert list(conditions_of(delivery)) == []
