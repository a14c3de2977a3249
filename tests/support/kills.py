"""An agent that is killed again and again while alarms come: what must be true afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from support.broker import Mosquitto
from support.daemon import Subscriber, daemon, wait_for
from support.panics import agent_configuration, panics
from support.service_manager import fake_systemd

__all__ = ["Killed", "kill", "waiting"]

SOURCES = ("a", "b", "c")


@dataclass(slots=True)
class Killed:
    """What became of it."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Alert documents that were on the disk after some kill, by id."""

    arrived: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Alert documents that a subscriber got, by id."""

    copies: int = 0
    """Those that came more than once, which a subscriber sees by the id."""

    damaged: list[str] = field(default_factory=list)
    """Databases that could not be opened, and were moved aside."""

    @property
    def missing(self) -> list[str]:
        """Ids that were kept and never arrived."""
        return sorted(self.kept.keys() - self.arrived.keys())

    @property
    def gaps(self) -> dict[str, list[int]]:
        """Sequence numbers of each source that never came, or came with two documents."""
        found = {}
        for source in SOURCES:
            numbers = Counter(one["seq"] for one in self.arrived.values() if one["source"] == source)
            found[source] = [seq for seq in range(1, max(numbers, default=0) + 1) if numbers[seq] != 1]
        return found


def kill(folder: Path, *, times: int, seed: int) -> Killed:
    """Kill an agent with three noisy sources at ``times`` random moments; then let it deliver all."""
    killed, pause, random = Killed(), Event(), Random(seed)  # noqa: S311 - no secret
    files = [panics(folder / f"{name}.wav", 30) for name in SOURCES]
    with ExitStack() as later:
        broker = later.enter_context(Mosquitto(folder, settings="persistence true"))
        subscriber = later.enter_context(Subscriber(broker, "vser/v1/#", "-c", "-i", "dispatcher"))
        config = agent_configuration(folder, broker.port, files)
        for _ in range(times):
            with fake_systemd(folder) as systemd, daemon(config, **systemd.environment) as agent:
                systemd.until(lambda heard: "READY=1" in heard, within=30, what="ready")
                pause.wait(random.uniform(0.0, 4.0))
                agent.kill()
                agent.wait()
            killed.kept |= {one["id"]: one for one in waiting(folder)}
        with daemon(agent_configuration(folder, broker.port, [], more=_NOTHING_HEARD)):
            wait_for(
                lambda: subscriber.statuses()[-1:] == ["offline"], within=20, what="the last one connected"
            )
            wait_for(lambda: not waiting(folder), within=20, what="everything sent")
        wait_for(lambda: killed.kept.keys() <= ids(subscriber), within=5, what="everything received")
    alerts = subscriber.documents("alert")
    killed.arrived = {one["id"]: one for one in alerts}
    killed.copies = len(alerts) - len(killed.arrived)
    killed.damaged = sorted(path.name for path in (folder / "state").glob("*corrupt*"))
    return killed


def ids(subscriber: Subscriber) -> set[str]:
    return {one["id"] for one in subscriber.documents("alert")}


def waiting(folder: Path) -> list[dict[str, Any]]:
    """The alert documents that wait for the broker."""
    database = folder / "state/outbox.db"
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        rows = opened.execute("SELECT payload FROM outbox WHERE topic LIKE '%/alert'").fetchall()
    return [json.loads(payload) for (payload,) in rows]


_NOTHING_HEARD = '\n[[sources]]\nname = "none"\ndevice = "no such microphone"'
