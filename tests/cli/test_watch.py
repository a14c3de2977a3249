from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.broker import Mosquitto, free_port
from support.command import vser_stream
from support.daemon import wait_for
from support.patience import HANGS
from support.ward import Ward

STATE = Ward().state().model_dump_json()


class Output:
    """What a process prints, read while it runs."""

    def __init__(self, descriptor: int) -> None:
        self.text = ""
        self._descriptor = descriptor
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while data := os.read(self._descriptor, 65536):
                self.text += data.decode(errors="replace")
        except OSError:
            return  # the terminal is closed


@contextmanager
def watching(
    server: Mosquitto, *more: str, terminal: bool = False
) -> Iterator[tuple[subprocess.Popen[bytes], Output]]:
    ours, theirs = pty.openpty() if terminal else os.pipe()
    where = ["--host", server.host, "--port", str(server.port), "--site", "home"]
    command = [sys.executable, "-m", "vser_stream", "watch", *where, *more]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "110", "LINES": "40"}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        yield process, Output(ours)
        process.kill()
    os.close(ours)


def lines(output: Output) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.text.splitlines()]


def test_each_message_is_a_line_and_a_broker_that_comes_back_is_found_again(server: Mosquitto) -> None:
    server.publish("vser/v1/home/status", "online", retain=True)
    with watching(server, "--json") as (process, output):
        online = {"topic": "vser/v1/home/status", "retained": True, "payload": "online"}
        wait_for(lambda: lines(output) == [online], within=20, what="the retained status")
        server.publish("vser/v1/other/status", "online")
        server.publish("vser/v1/home/bed/state", STATE)
        told = {"topic": "vser/v1/home/bed/state", "retained": False, "payload": json.loads(STATE)}
        wait_for(lambda: lines(output) == [online, told], within=5, what="the state")
        server.stop()
        server.start()
        back = threading.Event()
        while not back.wait(0.2) and len(lines(output)) < 3:
            server.publish("vser/v1/home/status", "offline")
        assert lines(output)[2]["payload"] == "offline"
        process.send_signal(signal.SIGINT)
        assert process.wait(HANGS) == 0


def test_the_live_view_shows_an_alarm_and_ends_cleanly_at_ctrl_c(server: Mosquitto) -> None:
    server.publish("vser/v1/home/status", "online", retain=True)
    server.publish("vser/v1/home/bed/state", STATE, retain=True)
    with watching(server, terminal=True) as (process, output):
        wait_for(lambda: "PANIC in bed" in output.text, within=20, what="the alarm")
        process.send_signal(signal.SIGINT)
        assert process.wait(HANGS) == 0
        wait_for(lambda: "\x1b[?1049l" in output.text, within=2, what="the screen as it was before")
    assert "Traceback" not in output.text


def test_a_broker_that_is_away_from_the_beginning_is_told(server: Mosquitto) -> None:
    done = vser_stream("watch", "--host", server.host, "--port", free_port(), "--site", "home", "--json")
    assert (done.returncode, "refuses connections" in done.stderr) == (5, True)


def test_the_live_view_needs_a_terminal(server: Mosquitto) -> None:
    done = vser_stream("watch", "--host", server.host, "--port", server.port, "--site", "home")
    assert (done.returncode, "use --json" in done.stderr) == (2, True)
