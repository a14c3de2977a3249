"""A stranger who may publish commands cannot end, stall or fill up the daemon."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon
from support.patience import HANGS

DEAF = 'device = "no such microphone"'
NONSENSE = [
    "{}",
    "{",
    "[[[[",
    '{"alert_id": 7}',
    "PRESS",
    '{"minutes": -1}',
    "\x00\x07",
    "é" * 900,
    "x" * 3000,
]


def flood(broker: Mosquitto, topic: str, payload: str) -> None:
    command = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, "-s", "--repeat", "50"]
    subprocess.run([*command, "--repeat-delay", "0.001"], input=payload, text=True, check=True)


def ask(broker: Mosquitto, topic: str, payload: str) -> None:
    """Send a command whose answer goes to ``answers``."""
    where = ["-V", "5", "-p", str(broker.port), "-q", "1", "-D", "publish", "response-topic", "answers"]
    subprocess.run(["mosquitto_pub", *where, "-t", topic, "-m", payload], check=True)


def test_nonsense_and_a_flood_are_answered_or_ignored_and_the_daemon_goes_on(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker, "#") as subscriber,
        daemon(configuration(tmp_path, broker.port, source=DEAF)) as process,
    ):
        pause = threading.Event()

        def answers() -> list[dict[str, object]]:
            return [json.loads(said) for topic, said in subscriber.received if topic == "answers"]

        def answered(times: int) -> None:
            while len(answers()) < times and not pause.wait(0.5):
                ask(broker, "vser/v1/test/attic/cmd/ack", "{}")

        answered(1)
        for topic in ("bedroom/cmd/ack", "bedroom/cmd/feedback", "x/cmd/y", "bedroom/cmd/pause"):
            for nonsense in NONSENSE:
                flood(broker, f"vser/v1/test/{topic}", nonsense)
        broker.publish("vser/v1/test/bedroom/state", "[" * 10_000)
        answered(len(answers()) + 1)
        assert str(answers()[0]["error"]).startswith("no source 'attic' here; sources:")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=HANGS)
    assert process.returncode == 0
    assert "Traceback" not in log
    assert "commands come too fast and are ignored" in log
    assert log.count("\n") < 300
