"""The daemon with several sources: they come, go and fail one by one."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.audio import voice
from support.broker import Mosquitto
from support.camera import camera
from support.daemon import Subscriber, daemon, wait_for
from support.patience import HANGS

SPEECH = voice(10.0)
START = 60.0
"""Longest start of the daemon on a busy box (s)."""


def configure(folder: Path, broker: Mosquitto, **urls: str) -> Path:
    """Write a configuration with a camera for each name."""
    path = folder / "vser.toml"
    sources = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items())
    path.write_text(
        f'site = "test"\nstate_dir = "state"\n[publish]\nhealth_every = 1\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n{sources}'
    )
    return path


class Room:
    """What subscribers know of the sources."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def health(self, name: str) -> dict[str, Any]:
        """The latest of one source; empty before the first."""
        told = [one for one in self._subscriber.documents("health") if one["source"] == name]
        return told[-1] if told else {}

    def wait(self, name: str, capture: str, *, within: float = 20.0) -> None:
        what = f"{name} is {capture}"
        wait_for(lambda: self.health(name).get("capture") == capture, within=within, what=what)


@contextmanager
def stopped_well(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    """End the daemon after the block; its log is in the list then."""
    log: list[str] = []
    yield log
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=HANGS)
    log.append(said)
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_sighup_adds_changes_and_removes_sources_and_leaves_the_others_alone(tmp_path: Path) -> None:
    with (
        camera(SPEECH, tmp_path) as served,
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
    ):
        room, l16, pcma = Room(subscriber), served.url("l16"), served.url("pcma")
        config = configure(tmp_path, broker, steady=l16, leaving=pcma)
        with daemon(config) as process, stopped_well(process):
            room.wait("steady", "running", within=START)
            room.wait("leaving", "running")

            configure(tmp_path, broker, steady=l16, coming=pcma)
            process.send_signal(signal.SIGHUP)
            room.wait("coming", "running")
            room.wait("leaving", "idle")

            configure(tmp_path, broker, steady=l16, coming=served.url("elsewhere"))
            process.send_signal(signal.SIGHUP)
            room.wait("coming", "backoff")

            configure(tmp_path, broker, steady=l16, coming=pcma)
            process.send_signal(signal.SIGHUP)
            room.wait("coming", "running")
            steady = room.health("steady")
    assert [change["to"] for change in steady["transitions"]] == ["opening", "running"]
    assert [steady[key] for key in ("outages", "lost_samples", "dropped_blocks", "gaps")] == [0, 0, 0, 0]
    assert subscriber.statuses() == ["offline", "online", "stopped"]


def test_a_wrong_file_keeps_the_configuration_and_says_so_in_one_line(tmp_path: Path) -> None:
    with (
        camera(SPEECH, tmp_path) as served,
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
    ):
        room, path = Room(subscriber), configure(tmp_path, broker, steady=served.url("l16"))
        with daemon(path) as process, stopped_well(process) as log:
            room.wait("steady", "running", within=START)
            path.write_text(path.read_text().replace("url", "ulr"))
            process.send_signal(signal.SIGHUP)
            seen = len(subscriber.documents("health"))
            wait_for(lambda: len(subscriber.documents("health")) > seen + 1, within=10, what="more health")
            assert room.health("steady")["capture"] == "running"
    told = [line for line in log[0].splitlines() if "configuration not reloaded" in line]
    (line,) = [line for line in told if "source=" not in line]
    assert len(told) == 2  # once in all, and once as a condition of the one source
    assert "did you mean 'url'?" in line


def test_a_monitor_that_hears_nothing_is_not_online(tmp_path: Path) -> None:
    with ExitStack() as later, Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        served = later.enter_context(camera(SPEECH, tmp_path))
        room = Room(subscriber)
        config = configure(tmp_path, broker, only=served.url("l16"))
        with daemon(config) as process, stopped_well(process):
            room.wait("only", "running", within=START)
            wait_for(lambda: subscriber.statuses()[-1] == "online", within=5, what="online")
            assert room.health("only")["conditions"] == []
            served.kill()
            wait_for(lambda: subscriber.statuses()[-1] == "offline", within=20, what="deaf")
            wait_for(lambda: room.health("only")["conditions"], within=5, what="the condition")
            (condition,) = room.health("only")["conditions"]
            assert (condition["name"], condition["priority"]) == ("capture_lost", "medium")
            assert "connection refused" in condition["reason"] or "closed the stream" in condition["reason"]
            later.enter_context(camera(SPEECH, tmp_path, port=served.port))
            wait_for(lambda: subscriber.statuses()[-1] == "online", within=45, what="heard again")
            room.wait("only", "running")
            assert room.health("only")["outages"] == 1
