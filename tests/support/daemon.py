"""The daemon as its users run it, and a subscriber beside it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from support.broker import Mosquitto
from support.patience import BUSY

__all__ = ["SCENE", "Subscriber", "configuration", "daemon", "wait_for"]

SCENE = Path(__file__).parents[2] / "deploy/demo/scene.flac"
"""A calm voice, then agitated, then in panic; made by the project itself."""


def configuration(folder: Path, port: int, *, source: str = f'file = "{SCENE}"', more: str = "") -> Path:
    """Write a configuration with its state beside it."""
    path = folder / "vser.toml"
    path.write_text(
        f'site = "test"\nstate_dir = "state"\n{more}\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f'[[sources]]\nname = "bedroom"\n{source}\n'
        # On a busy box no second look would come within the default 60 ms.
        + ("" if "[second_look]" in more else "[second_look]\nwithin = 60\n")
    )
    return path


@contextlib.contextmanager
def daemon(config: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``vser-stream run``; it is killed in the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vser_stream", "run", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Subscriber:
    """Collects everything below ``vser/v1``; inside ``with``.

    Args:
        broker: To ask.
        topic: What to ask for.
        options: More of mosquitto_sub, such as a login.
    """

    def __init__(self, broker: Mosquitto, topic: str = "vser/v1/#", *options: str) -> None:
        command = ["mosquitto_sub", "-p", str(broker.port), "-t", topic, "-q", "1", "-F", "%r %t %p"]
        self._command = [*command, *options]
        self.received: list[tuple[str, str]] = []
        """Topic and payload, oldest first."""

        self.came: list[float] = []
        """Wall time of each (s)."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._thread.join()
        self._process.communicate()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            _, topic, payload = line.rstrip("\n").split(" ", 2)
            self.came.append(time.time())
            self.received.append((topic, payload))

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """The JSON documents received on topics that end in ``kind``."""
        said = [payload for topic, payload in self.received if topic.endswith(f"/{kind}")]
        return [json.loads(payload) for payload in said if payload]

    def statuses(self) -> list[str]:
        """The payloads of the status topic."""
        return [payload for topic, payload in self.received if topic.endswith("/status")]


def wait_for(condition: Callable[[], object], *, within: float, what: str) -> None:
    """Wait until ``condition()`` holds, ``within`` a time (s) that a quiet box would need.

    Raises:
        pytest.fail.Exception: It does not, on a busy one either.
    """
    pause, give_up = threading.Event(), time.monotonic() + within * BUSY
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {within * BUSY:g} s: {what}")
        pause.wait(0.05)
