"""Five panics while the broker is away, and the agent killed between the third and the fourth."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.broker import shipped_broker
from support.daemon import Subscriber, daemon, wait_for
from support.kills import waiting
from support.panics import QUIET, agent_configuration, panics
from support.patience import HANGS

__all__ = ["Survived", "five_panics", "raised"]

_LOGIN = 'username = "test"\npassword_file = "password"'
_NOTHING_HEARD = '\n[[sources]]\nname = "none"\ndevice = "no such microphone"'
_SESSION = ("-u", "dispatcher", "-P", "d", "-c")
"""A dispatcher for whom the broker keeps what comes while he is away."""


@dataclass(frozen=True, slots=True)
class Survived:
    """What came of it; alert documents by id."""

    before_kill: dict[str, dict[str, Any]]
    """On the disk when the agent was killed."""

    kept: dict[str, dict[str, Any]]
    """On the disk when the broker came back."""

    back_at: float
    """Wall time of that (s)."""

    outage: float
    """How long the broker was away (s)."""

    day: dict[str, dict[str, Any]]
    """Received by a dispatcher who was there as soon as the broker was."""

    night: dict[str, dict[str, Any]]
    """Received by one who was off line all the time."""

    ids: list[str]
    """Of all alert documents the first one received."""


def raised(alerts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those that tell of a new panic, by id; whether they come late is the box's affair."""
    return {
        one["id"]: one | {"late": False}
        for one in alerts
        if one["event"] == "raised" and one["label"] == "panic"
    }


def five_panics(folder: Path, *, outage: float) -> Survived:
    """Let the shipped broker be away for at least ``outage`` seconds."""
    (folder / "password").write_text("t")
    files = {name: panics(folder / f"{name}.wav", 1, quiet=outage + QUIET) for name in "abcde"}
    with ExitStack() as later:
        broker = later.enter_context(shipped_broker(folder, users={"test": "t", "dispatcher": "d"}))
        day = later.enter_context(Subscriber(broker, "vser/v1/#", *_SESSION, "-i", "day"))

        def agent(names: str, more: str = "") -> Path:
            return agent_configuration(
                folder, broker.port, [files[name] for name in names], more=_LOGIN + more
            )

        with (
            Subscriber(broker, "vser/v1/+/+/alert", *_SESSION, "-i", "night"),
            daemon(agent("", _NOTHING_HEARD)),
        ):
            wait_for(day.statuses, within=20, what="all let in")
        broker.stop()
        gone_at = time.monotonic()
        with daemon(agent("abc")) as first:
            wait_for(lambda: len(raised(waiting(folder))) == 3, within=20, what="three panics kept")
            first.kill()
        before_kill = raised(waiting(folder))
        with daemon(agent("de")) as second:
            wait_for(lambda: len(raised(waiting(folder))) == 5, within=20, what="five panics kept")
            kept = raised(waiting(folder))
            time.sleep(max(0.0, gone_at + outage - time.monotonic()))
            back_at, away = time.time(), time.monotonic() - gone_at
            broker.start()
            wait_for(lambda: len(raised(day.documents("alert"))) == 5, within=30, what="five panics")
            second.send_signal(signal.SIGTERM)
            second.wait(HANGS)
        night = later.enter_context(Subscriber(broker, "vser/v1/+/+/alert", *_SESSION, "-i", "night"))
        wait_for(lambda: len(raised(night.documents("alert"))) == 5, within=10, what="all for the night")
    return Survived(
        before_kill=before_kill,
        kept=kept,
        back_at=back_at,
        outage=away,
        day=raised(day.documents("alert")),
        night=raised(night.documents("alert")),
        ids=[one["id"] for one in day.documents("alert")],
    )
