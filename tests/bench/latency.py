"""Time from the end of speech to a subscriber, over many panics; print median, p99 and the share in between.

    PYTHONPATH=tests python tests/bench/latency.py [--panics 100]

Real Mosquitto, the whole daemon, four sources at once. Every voice is panic to it (the model is a
stand-in of the same shape of call), so nothing but the pipeline, the disk and the broker is measured.
An alarm raised while a person still speaks counts from the end of the speech it was judged by.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from support.broker import Mosquitto
from support.daemon import Subscriber, daemon
from support.panics import agent_configuration, panics

SOURCES = 4


def main() -> None:
    """Let them panic, and tell how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--panics", type=int, default=100)
    count = -(-parser.parse_args().panics // SOURCES)
    with tempfile.TemporaryDirectory() as name, ExitStack() as later:
        folder = Path(name)
        files = [
            panics(folder / f"{source}.wav", count, after=0.5 + 0.6 * source, quiet=3.0)
            for source in range(SOURCES)
        ]
        broker = later.enter_context(Mosquitto(folder))
        subscriber = later.enter_context(Subscriber(broker, "vser/v1/+/+/alert"))
        agent = later.enter_context(daemon(agent_configuration(folder, broker.port, files)))
        agent.wait()
    raised = [
        (came - seconds(alert["ended_at"]), alert["latency_ms"] / 1000)
        for came, alert in zip(subscriber.came, subscriber.documents("alert"), strict=True)
        if alert["event"] == "raised"
    ]
    total, decided = np.array(raised).T
    print(f"{len(total)} panics, {SOURCES} sources at once")
    print(f"end of speech -> decision handed to delivery: {figures(decided)}")
    print(f"decision -> subscriber (disk, broker):        {figures(total - decided)}")
    print(f"end of speech -> subscriber:                  {figures(total)}")


def seconds(instant: str) -> float:
    """Unix time of an RFC 3339 instant (s)."""
    return datetime.fromisoformat(instant).timestamp()


def figures(values: NDArray[np.float64]) -> str:
    """Median, p99 and worst (ms)."""
    median, worst_of_100, worst = 1000 * np.percentile(values, (50, 99, 100))
    return f"p50 {median:.0f} ms, p99 {worst_of_100:.0f} ms, worst {worst:.0f} ms"


if __name__ == "__main__":
    main()
