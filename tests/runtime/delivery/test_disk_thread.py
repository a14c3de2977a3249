"""A sick disk delays nothing: one thread alone ever touches it, and nobody waits for that one for long."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.broker import Mosquitto, free_port
from support.command import vser_stream
from support.daemon import Subscriber, daemon, wait_for
from support.hanging_disk import HangingDisk
from support.panics import agent_configuration, panics
from support.patience import HANGS
from support.service_manager import fake_systemd

from vser_stream.config.locations import shipped_rules

WITNESS = Path(__file__).parents[2] / "support/disk_witness"

LISTENING = ("MainThread", "scorer_0")
"""The event loop and the thread that scores: neither may wait for a disk."""


def raised(subscriber: Subscriber, source: str) -> list[dict[str, Any]]:
    told = {one["id"]: one for one in subscriber.documents("alert")}.values()
    return [one for one in told if one["source"] == source and one["event"] == "raised"]


def kept(folder: Path, source: str) -> dict[str, Any]:
    """The row of a source."""
    with closing(sqlite3.connect(f"file:{folder / 'state/outbox.db'}?mode=ro", uri=True)) as db:
        (document,) = db.execute("SELECT document FROM memory WHERE source = ?", (source,)).fetchone()
    read = json.loads(document)
    assert isinstance(read, dict)
    return read


def heard(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANGS) as answer:
        return str(answer.read().decode())


@pytest.mark.timeout(2 * HANGS)
def test_no_thread_that_listens_ever_touches_the_disk(tmp_path: Path) -> None:
    """Alarms, commands, feedback, a page, two reloads and the end: all that a daemon does."""
    home, seen, port = tmp_path / "home", tmp_path / "seen", free_port()
    home.mkdir()
    (home / "rules.toml").write_text(shipped_rules().read_text())
    (home / "password").write_text("s3cret")
    login = 'username = "agent"\npassword_file = "password"\n'
    more = f'{login}[http]\nport = {port}\n[reasoner]\nrules = "rules.toml"\n'
    witnessed = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(WITNESS), os.environ.get("PYTHONPATH")])),
        "DISK_WITNESS_FOLDER": str(home),
        "DISK_WITNESS_LOG": str(seen),
    }
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        fake_systemd(tmp_path) as systemd,
    ):

        def configured(name: str) -> Path:
            return agent_configuration(home, broker.port, [panics(home / f"{name}.wav", 3)], more=more)

        config = configured("bed")
        with daemon(config, **systemd.environment, **witnessed) as process:
            systemd.until(lambda heard: "READY=1" in heard, within=30, what="ready")
            began = len(seen.read_text().splitlines())
            wait_for(lambda: raised(subscriber, "bed"), within=20, what="an alarm")
            alarm = raised(subscriber, "bed")[0]["alert_id"]
            vser_stream("ack", alarm, "--config", config)
            vser_stream("pause", "bed", "--minutes", "5", "--config", config)
            broker.publish("vser/v1/test/bed/cmd/feedback", json.dumps({"alert_id": alarm, "verdict": True}))
            wait_for((home / "state/feedback.jsonl").exists, within=5, what="the feedback")
            assert "vser_source_heard" in heard(port)
            process.send_signal(signal.SIGHUP)
            systemd.until(lambda heard: heard.count("READY=1") == 2, within=10, what="ready again")
            configured("hall")
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: raised(subscriber, "hall"), within=20, what="an alarm of the other source")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=HANGS)
    touched = [line.split("\t") for line in seen.read_text().splitlines()]
    by = {thread for thread, *_ in touched}
    assert {"disk_0", "configuration_0"} <= by, by
    assert [one for one in touched[began:] if one[0] in LISTENING] == []
    assert {one[0] for one in touched if one[1].startswith("sqlite3")} == {"disk_0"}


@pytest.mark.timeout(2 * HANGS)
def test_while_the_disk_hangs_alarms_come_and_sources_restart_where_they_stood(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    disk = HangingDisk(tmp_path, held=home)
    files = [panics(tmp_path / f"{name}.wav", 25) for name in ("a", "b")]
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        fake_systemd(tmp_path, watchdog=10.0) as systemd,
    ):
        config = agent_configuration(home, broker.port, files)
        running = config.read_text()

        def more_alarms(source: str, count: int) -> None:
            goal = len(raised(subscriber, source)) + count
            wait_for(lambda: len(raised(subscriber, source)) >= goal, within=20, what=f"alarms of {source}")

        def conditions() -> set[str]:
            health = subscriber.documents("health")
            return {one["name"] for one in health[-1]["conditions"]} if health else set()

        with daemon(config, **systemd.environment, **disk.environment) as process:
            more_alarms("a", 1)
            with disk.hanging("sync"):
                more_alarms("a", 2)
                wait_for(lambda: "disk" in conditions(), within=10, what="the disk is told of")
                config.write_text(running.replace(f"{files[0]}", f"{panics(tmp_path / 'c.wav', 25)}"))
                process.send_signal(signal.SIGHUP)
                systemd.until(lambda heard: heard.count("READY=1") == 2, within=10, what="ready again")
                more_alarms("a", 2)
                more_alarms("b", 1)
                with disk.hanging("open"):
                    process.send_signal(signal.SIGHUP)
                    wait_for(lambda: "configuration" in conditions(), within=20, what="the reload is refused")
                    more_alarms("a", 1)
                    more_alarms("b", 1)
                alive = systemd.count("WATCHDOG=1")
                systemd.until(lambda heard: heard.count("WATCHDOG=1") > alive, within=20, what="life")
            wait_for(lambda: "disk" not in conditions(), within=20, what="the disk is well again")
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=HANGS)
        for source in ("a", "b"):
            told = {one["id"]: one["seq"] for one in subscriber.documents("alert") if one["source"] == source}
            assert sorted(told.values()) == list(range(1, len(told) + 1)), source
            assert kept(home, source)["story"]["seq"] == len(told)
    assert (process.returncode, "Traceback" in log) == (0, False), log
    assert "the disk does not answer" in log


@pytest.mark.timeout(2 * HANGS)
def test_a_disk_that_hangs_at_the_start_keeps_nobody_from_listening(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    disk = HangingDisk(tmp_path, held=home)
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = agent_configuration(home, broker.port, [panics(tmp_path / "a.wav", 25)])
        with ExitStack() as later:
            with disk.hanging("sync"):
                later.enter_context(daemon(config, **disk.environment))
                wait_for(lambda: len(raised(subscriber, "a")) >= 2, within=30, what="alarms")
            wait_for(lambda: kept_at_all(home, "a"), within=30, what="it is kept now")
            wait_for(
                lambda: kept(home, "a")["story"]["seq"] in told(subscriber, "a"), within=5, what="its alert"
            )


def told(subscriber: Subscriber, source: str) -> set[int]:
    return {one["seq"] for one in subscriber.documents("alert") if one["source"] == source}


def kept_at_all(folder: Path, source: str) -> bool:
    try:
        return bool(kept(folder, source))
    except (sqlite3.Error, TypeError):
        return False
