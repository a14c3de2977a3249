"""CPU of one alert, from the decision to the figure of how late it came.

    PYTHONPATH=tests python tests/bench/alert.py

What the scorer, the loop and the disk's thread each do for it, one after the other on one core; the
broker's library and SQLite are left out. The yardstick is to read the alert's payload once as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.documents import PANIC

from vser_stream.adapters.storage.database_rows import message_of as message_in
from vser_stream.adapters.storage.database_rows import row_of
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.cloudevents import attributes_of
from vser_stream.core.wire.documents import Alert, Origin, Versions, alert_of, message_of, told_late
from vser_stream.runtime.watch.daemon_metrics import latency_of
from vser_stream.values import Cue, Message

ROUNDS, TIMES = 30, 300
"""The best of so many rounds is told; of so many repetitions each."""

ORIGIN = Origin("home", "bed", Versions(package="0.1.0", model="m@1", rules="r@1"))
DECISION = replace(
    PANIC, evidence=tuple(Cue(one.name, 123.45, one.unit, 67.8, 3.21, 0.61) for one in DESCRIPTORS)
)
TRANSITION = Transition(AlarmEvent.RAISED, DECISION.label, DECISION, "one sure utterance", heard=True)
NOW = DECISION.segment.ended_at + 0.3


def document() -> Alert:
    return alert_of(TRANSITION, origin=ORIGIN, event_id="e", alert_id="a", seq=1, published_at=NOW)


def record() -> object:
    return record_of(DECISION, origin=ORIGIN, recorded_at=NOW)


ALERT = document()
MESSAGE = message_of(ALERT, "e")


def stored() -> Message | None:
    return message_in(row_of(MESSAGE))


def sent() -> float | None:
    message = told_late(MESSAGE, NOW)
    attributes_of(message)
    return latency_of(message, NOW)


STEPS: dict[str, Callable[[], object]] = {
    "its payload read once (yardstick)": lambda: json.loads(MESSAGE.payload),
    "its document made": document,
    "its message made": lambda: message_of(ALERT, "e"),
    "its record made": record,
    "to a row and back": stored,
    "what sending asks of it": sent,
}


def microseconds(step: Callable[[], object]) -> float:
    began = time.thread_time()
    for _ in itertools.repeat(None, TIMES):
        step()
    return (time.thread_time() - began) / TIMES * 1e6


def main() -> None:
    # In turns, so that a busy box is as busy for each.
    rounds = [[microseconds(step) for step in STEPS.values()] for _ in range(ROUNDS)]
    best = dict(zip(STEPS, map(min, zip(*rounds, strict=True)), strict=True))
    (yardstick, unit), *parts = best.items()
    print(f"payload: {len(MESSAGE.payload)} bytes")
    print(f"{unit:7.1f} µs        {yardstick}")
    for name, cpu in parts:
        print(f"{cpu:7.1f} µs {cpu / unit:5.2f}x {name}")
    together = sum(cpu for _, cpu in parts)
    print(f"{together:7.1f} µs {together / unit:5.2f}x together")


if __name__ == "__main__":
    main()
