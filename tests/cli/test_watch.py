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

from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.wire.documents import Health, utc

STATE = Ward().state().model_dump_json()
HEALTH = Health(
    site="home", source="bed", capture=CaptureState.RUNNING, reason=None, last_sample_age_s=0.1,
    level_db=-40.0, floor_db=-60.0, restarts=0, gaps=0, dropped_blocks=0, utterances=0,
    rejected=0, baseline_utterances=0, updated_at=utc(0.0), conditions=(),
).model_dump_json(by_alias=True)  # fmt: skip


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
    server: Mosquitto, *more: str, terminal: bool = False, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Output]]:
    ours, theirs = pty.openpty() if terminal else os.pipe()
    where = ["--host", server.host, "--port", str(server.port), "--site", "home"]
    command = [sys.executable, "-m", "vser_stream", "watch", *where, *more]
    given = os.environ | {"TERM": "xterm", "COLUMNS": "110", "LINES": "40"} | environment
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=given) as process:
        os.close(theirs)
        try:
            yield process, Output(ours)
        finally:
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
        server.publish("vser/v1/home/bed/alert", "[" * 20_000)
        wait_for(lambda: len(lines(output)) == 3, within=5, what="what is no document")
        assert lines(output)[2]["payload"] == "[" * 20_000
        server.stop()
        server.start()
        back = threading.Event()
        while not back.wait(0.2) and len(lines(output)) < 4:
            server.publish("vser/v1/home/status", "offline")
        assert lines(output)[3]["payload"] == "offline"
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


def test_a_terminal_that_cannot_draw_gets_a_line_for_each_change(server: Mosquitto) -> None:
    with watching(server, terminal=True, TERM="dumb", PYTHONIOENCODING="ascii") as (process, output):
        wait_for(lambda: "connected" in output.text, within=20, what="the connection")
        for _ in range(2):
            server.publish("vser/v1/home/bed/state", STATE, retain=True)
            server.publish("vser/v1/home/bed/health", HEALTH, retain=True)
            server.publish("vser/v1/home/status", "online", retain=True)
        wait_for(lambda: "home: online" in output.text, within=20, what="the status")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANGS) == 0
    assert output.text.count("bed: capture running") == 1
    assert output.text.count("signal") == 1
    assert "\x1b" not in output.text


def test_a_level_is_drawn_on_a_terminal_that_lacks_the_letters(server: Mosquitto) -> None:
    with watching(server, terminal=True, PYTHONIOENCODING="latin-1") as (process, output):
        server.publish("vser/v1/home/bed/health", HEALTH, retain=True)
        wait_for(lambda: "###" in output.text, within=20, what="the level")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANGS) == 0
