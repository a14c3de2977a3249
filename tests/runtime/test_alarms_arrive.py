"""No panic is lost, whatever dies in between: the agent, the broker, the line; real ones, really killed.

The sizes that a demonstration wants are in tests/bench/outage.py and tests/bench/kills.py.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
from support.broker import Mosquitto
from support.daemon import Subscriber, daemon, wait_for
from support.kills import kill
from support.line import line_to
from support.outage import five_panics, raised
from support.panics import agent_configuration, panics
from support.patience import HANGS
from support.service_manager import fake_systemd

from vser_stream.config.schema import MqttConfig

_log = logging.getLogger(__name__)


def test_five_panics_during_an_outage_of_the_broker_survive_the_agent_too(tmp_path: Path) -> None:
    survived = five_panics(tmp_path, outage=0.0)
    kept = survived.kept
    assert survived.before_kill.items() <= kept.items()
    assert survived.day == survived.night == kept  # the very documents: their times too
    assert all(instant(one["heard_at"]) < survived.back_at for one in kept.values())
    assert len({one["alert_id"] for one in kept.values()}) == 5
    assert len(survived.ids) == len(set(survived.ids))  # not even a duplicate


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("trouble", "count", "after"),
    [("frozen", 4, 0.5), ("cut", 2, 14.0)],  # noticed by the alarms that are not taken, and without any
)
def test_a_broker_that_hangs_is_noticed_and_nothing_is_lost_or_doubled(
    tmp_path: Path, trouble: Literal["frozen", "cut"], count: int, after: float
) -> None:
    with ExitStack() as later:
        broker = later.enter_context(Mosquitto(tmp_path))
        line = later.enter_context(line_to(broker.port))
        subscriber = later.enter_context(Subscriber(broker))
        systemd = later.enter_context(fake_systemd(tmp_path, watchdog=1.0))
        source = panics(tmp_path / "a.wav", count, after=after, quiet=2.0)
        config = agent_configuration(tmp_path, line.port, [source], more="keepalive = 5")
        agent = later.enter_context(daemon(config, **systemd.environment))
        wait_for(lambda: "online" in subscriber.statuses(), within=20, what="online")
        began, known = time.monotonic(), len(systemd.heard)
        broker.freeze() if trouble == "frozen" else line.cut.set()
        away = lambda heard: any("broker away" in word for word in heard[known:])  # noqa: E731
        systemd.until(away, within=12, what="the broker is missed, after twice the keepalive at the latest")
        _log.info("%s: noticed after %.1f s", trouble, time.monotonic() - began)
        broker.thaw()
        line.cut.clear()
        assert agent.wait(HANGS) == 0  # the recording is over
        wait_for(lambda: subscriber.statuses()[-1] == "stopped", within=5, what="the goodbye")
        alerts = subscriber.documents("alert")
    numbers = {one["id"]: one["seq"] for one in alerts}
    assert len(raised(alerts)) == count
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))


def test_by_default_a_broker_that_hangs_is_noticed_within_twenty_seconds() -> None:
    assert 2 * MqttConfig(host="broker").keepalive < 20


def test_a_killed_agent_is_missed_within_a_second(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = agent_configuration(tmp_path, broker.port, [panics(tmp_path / "a.wav", 0)])
        with daemon(config) as agent:
            wait_for(lambda: subscriber.statuses()[-1:] == ["online"], within=20, what="online")
            agent.kill()
            wait_for(lambda: subscriber.statuses()[-1] == "offline", within=1, what="the will")


def test_whenever_the_agent_is_killed_nothing_it_had_kept_is_lost(tmp_path: Path) -> None:
    killed = kill(tmp_path, times=3, seed=2)
    assert killed.arrived
    assert (killed.missing, killed.damaged) == ([], [])
    assert killed.gaps == {"a": [], "b": [], "c": []}


def test_after_a_kill_an_alarm_goes_on_as_it_stood(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = agent_configuration(tmp_path, broker.port, [panics(tmp_path / "a.wav", 1)])
        config.write_text(config.read_text().replace("latching = false", "latching = true"))

        def events() -> list[str]:
            return [one["event"] for one in subscriber.documents("alert")]

        with daemon(config) as first:
            wait_for(lambda: "latched" in events(), within=30, what="the end of the panic")
            first.kill()
        with daemon(config):
            wait_for(lambda: "reraised" in events(), within=30, what="the same panic once more")
            wait_for(lambda: subscriber.documents("state")[-1]["signal"] == "on", within=5, what="the state")
        told = {one["id"]: one for one in subscriber.documents("alert")}.values()
    assert events().count("raised") == 1
    assert len({one["alert_id"] for one in told}) == 1
    assert [one["seq"] for one in told] == list(range(1, len(told) + 1))
