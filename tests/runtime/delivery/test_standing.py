"""How the broker treats us, told from what happens to the connection; no broker is needed for that."""

from __future__ import annotations

import logging

import pytest
from support.clock import SetClock
from support.decisions import START

from vser_stream.adapters.mqtt.packets import Limits
from vser_stream.core.technical_condition import ConditionName
from vser_stream.errors import PublishError, SessionTakenError
from vser_stream.runtime.delivery.standing import AWAY_AFTER, THROWN_OUT, THROWN_OUT_WITHIN, Standing


def hung_up() -> PublishError:
    error = PublishError("the broker ended the connection")
    error.hung_up = True
    return error


def refused() -> PublishError:
    error = PublishError("not authorised")
    error.code = 135
    return error


def names(standing: Standing) -> list[ConditionName]:
    return [condition.name for condition in standing.conditions()]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def standing(clock: SetClock) -> Standing:
    return Standing(clock=clock)


def test_a_broker_that_is_away_for_long_is_told_from_when_it_left(
    standing: Standing, clock: SetClock
) -> None:
    standing.opened(Limits())
    clock.forward(100.0)
    standing.closed()
    clock.forward(AWAY_AFTER - 0.1)
    assert names(standing) == []
    clock.forward(0.1)
    (away,) = standing.conditions()
    assert (away.name, away.priority, away.since) == (ConditionName.BROKER_AWAY, "medium", START + 100.0)
    standing.closed()
    assert next(standing.conditions()).since == START + 100.0, "told once more, it left no later"
    standing.opened(Limits())
    assert names(standing) == []
    assert (standing.connected, standing.connections) == (True, 2)


def test_a_broker_that_was_never_there_is_away_since_the_start(standing: Standing, clock: SetClock) -> None:
    assert names(standing) == []
    clock.forward(AWAY_AFTER)
    assert [one.since for one in standing.conditions()] == [START]


@pytest.mark.parametrize("error", [hung_up(), SessionTakenError("another client")])
def test_a_broker_that_ends_good_connections_again_and_again_does_it_for_another_client(
    standing: Standing, clock: SetClock, error: PublishError, caplog: pytest.LogCaptureFixture
) -> None:
    standing.opened(Limits())
    for turn in range(THROWN_OUT):
        assert names(standing) == []
        clock.forward(10.0)
        standing.lost(error)
        assert standing.thrown_out is (turn == THROWN_OUT - 1)
    (twice,) = standing.conditions()
    assert (twice.name, twice.priority, twice.since) == (ConditionName.SITE_TWICE, "medium", START + 10.0)
    standing.lost(error)
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1, "and is complained of once"


def test_what_happens_now_and_then_is_nobody_s_doing(standing: Standing, clock: SetClock) -> None:
    standing.opened(Limits())
    for _ in range(5):
        standing.lost(hung_up())
        clock.forward(THROWN_OUT_WITHIN / (THROWN_OUT - 1) + 1.0)
        assert not standing.thrown_out
    standing.lost(PublishError("the network went away"))
    assert not standing.thrown_out


def test_it_is_over_when_it_has_not_happened_for_long_enough(standing: Standing, clock: SetClock) -> None:
    standing.opened(Limits())
    for _ in range(THROWN_OUT):
        standing.lost(hung_up())
    clock.forward(THROWN_OUT_WITHIN)
    assert standing.thrown_out
    clock.forward(0.1)
    assert not standing.thrown_out
    assert names(standing) == []


def test_a_broker_that_was_away_threw_nobody_out_and_one_that_refuses_is_there(standing: Standing) -> None:
    for _ in range(THROWN_OUT):
        standing.lost(hung_up())
    standing.unreachable(refused())
    assert standing.thrown_out
    standing.unreachable(PublishError("connection refused"))
    assert not standing.thrown_out


def test_what_a_broker_lacks_is_told_from_when_it_was_first_known(
    standing: Standing, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    poor = Limits(retain=False, qos=0)
    standing.opened(poor)
    clock.forward(50.0)
    standing.opened(poor)
    told = list(standing.conditions())
    assert [(one.name, one.priority, one.since) for one in told] == [
        (ConditionName.BROKER_LIMITS, "low", START)
    ] * 2
    assert all(one.reason.startswith("the broker ") for one in told)
    assert len(caplog.records) == 2, "each is logged once"
    standing.opened(Limits(qos=0))
    assert [one.reason for one in standing.conditions()] == [told[1].reason]
    standing.opened(Limits())
    assert names(standing) == []


def test_the_size_that_ended_a_connection_is_known_until_the_broker_was_away(standing: Standing) -> None:
    standing.opened(Limits())
    assert not standing.is_too_long(10**9)
    standing.shortened("it hung up", proven_at=5000)
    standing.shortened("it hung up", proven_at=9000)
    assert [standing.is_too_long(size) for size in (4999, 5000, 9000)] == [False, True, True]
    standing.opened(Limits())
    assert standing.is_too_long(5000)
    assert names(standing) == [ConditionName.BROKER_LIMITS]
    standing.unreachable(PublishError("connection refused"))
    assert not standing.is_too_long(5000), "it may be another one now"
    standing.opened(Limits())
    assert names(standing) == []


def test_that_messages_are_shortened_is_told_once(
    standing: Standing, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    standing.opened(Limits(packet=1000))
    standing.shortened("it takes 1000 bytes", proven_at=None)
    clock.forward(10.0)
    standing.shortened("another reason", proven_at=None)
    (told,) = standing.conditions()
    assert told.since == START
    assert "it takes 1000 bytes" in told.reason
    assert len(caplog.records) == 1
    assert not standing.is_too_long(10**9), "nothing was proven"
    standing.opened(Limits())
    assert names(standing) == [], "another connection may be to a broker that was corrected"
