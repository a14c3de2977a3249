"""The daemon under systemd: what it tells, what it survives, and how soon it ends."""

import json
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.audio import voice
from support.broker import Mosquitto, free_port
from support.camera import camera
from support.command import vser_stream
from support.daemon import SCENE, Subscriber, configuration, daemon, wait_for
from support.patience import BUSY, HANGS
from support.service_manager import FakeSystemd, fake_systemd

_log = logging.getLogger(__name__)

ENDLESS = 'device = "no such microphone"'
"""A source that never ends, and is never heard."""


@contextmanager
def service(
    folder: Path, config: Path, *, watchdog: float = 2.0
) -> Iterator[tuple[subprocess.Popen[str], FakeSystemd]]:
    """The daemon, ready, and who started it."""
    with (
        fake_systemd(folder, watchdog=watchdog) as systemd,
        daemon(config, **systemd.environment) as process,
    ):
        systemd.until(lambda heard: "READY=1" in heard, within=30, what="ready")
        yield process, systemd


def ends(process: subprocess.Popen[str], *, within: float) -> tuple[int, float, str]:
    """Ask it to end; return its exit code, how long it took (s), and its log."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=within * BUSY)
    return process.returncode, time.monotonic() - began, log


def test_its_state_in_words_follows_what_happens_not_the_watchdog(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        config = configuration(tmp_path, broker.port)
        with service(tmp_path, config, watchdog=4 * HANGS) as (_, systemd):
            heard_it = "STATUS=1 of 1 sources monitored; broker connected; 0 messages waiting"
            systemd.until(lambda heard: heard_it in heard, within=10, what="the state in words")
            assert systemd.count("WATCHDOG=1") <= 1  # at once, and then only after so long


def test_it_is_ready_once_a_decision_was_made_then_lives_and_ends(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, more="[http]\nport = 1")  # no such port for us
        with service(tmp_path, config) as (process, systemd):
            systemd.until(lambda heard: heard.count("WATCHDOG=1") >= 3, within=10, what="signs of life")
            heard_it = "STATUS=1 of 1 sources monitored; broker connected; 0 messages waiting"
            systemd.until(lambda heard: heard_it in heard, within=10, what="the state in words")
            code, took, log = ends(process, within=10)
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the goodbye")
    assert (code, took < 5.0 * BUSY) == (0, True), log
    assert "\x1b" not in log  # no library colours the journal
    assert systemd.heard[0] == "STATUS=loading and verifying models"
    assert systemd.heard[-2:] == ["STOPPING=1", "STATUS=stopping"]
    assert systemd.heard.count("READY=1") == 1
    assert "WATCHDOG=1" not in systemd.heard[: systemd.heard.index("READY=1")]


def test_a_reload_while_it_still_loads_neither_ends_it_nor_is_lost(tmp_path: Path) -> None:
    config = configuration(tmp_path, free_port(), source=ENDLESS)
    with fake_systemd(tmp_path) as systemd, daemon(config, **systemd.environment) as process:
        systemd.until(len, within=20, what="the first word")
        process.send_signal(signal.SIGHUP)
        systemd.until(lambda heard: heard.count("READY=1") == 2, within=30, what="ready again")
        assert systemd.heard.index("READY=1") < systemd.heard.index("RELOADING=1")
        assert process.poll() is None


def test_a_wrong_configuration_is_not_taken_and_that_is_told(tmp_path: Path) -> None:
    port = free_port()
    config = configuration(tmp_path, free_port(), source=ENDLESS, more=f"[http]\nport = {port}")
    good = config.read_text()
    with service(tmp_path, config) as (process, systemd):
        config.write_text(good.replace("bedroom", "bed room"))
        process.send_signal(signal.SIGHUP)
        systemd.until(lambda heard: heard.count("READY=1") == 2, within=10, what="ready again")
        refused = "configuration not reloaded: invalid configuration"
        systemd.until(lambda heard: any(refused in word for word in heard), within=10, what="the refusal")
        assert "vser_config_valid 0.0" in page(port, "metrics")
        assert '"name": "configuration", "priority": "low"' in page(port, "")
        config.write_text(good.replace("bedroom", "kitchen"))
        process.send_signal(signal.SIGHUP)
        systemd.until(lambda heard: heard.count("READY=1") == 3, within=10, what="ready again")
        assert "vser_config_valid 1.0" in page(port, "metrics")
        assert '{source="kitchen"}' in page(port, "metrics")
        _, _, log = ends(process, within=10)
    assert f"{config}: source 'bed room': name" in log
    assert " ERROR configuration not reloaded" in log
    assert " INFO configuration reloaded: sources=kitchen" in log


def test_who_asks_for_a_reload_hears_whether_the_file_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configuration(tmp_path, free_port(), source=ENDLESS)
    good = config.read_text()
    with service(tmp_path, config) as (process, systemd):
        wait_for((tmp_path / "state/control.sock").exists, within=10, what="the socket")
        monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))  # as systemd runs it
        taken = vser_stream("reload")
        assert (taken.returncode, taken.stderr) == (0, "")
        config.write_text(good.replace("bedroom", "bed room"))
        refused = vser_stream("reload")
        assert refused.returncode == 3
        assert f"the daemon keeps its configuration: invalid configuration: {config}: " in refused.stderr
        systemd.until(lambda heard: heard.count("READY=1") == 3, within=10, what="ready after each")
        assert process.poll() is None
        ends(process, within=10)
    monkeypatch.delenv("MAINPID", raising=False)
    away = vser_stream("reload")
    assert (away.returncode, "the daemon is not running" in away.stderr) == (5, True)


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    config = configuration(tmp_path, free_port(), more=f'model = "{tmp_path}"')
    with fake_systemd(tmp_path) as systemd, daemon(config, **systemd.environment) as process:
        assert process.wait(HANGS) == 3
        systemd.until(lambda heard: len(heard) == 2, within=5, what="why")
    assert systemd.heard[1].startswith(f"STATUS=cannot start: {tmp_path}/manifest.toml: cannot be read")


def test_health_and_figures_are_for_this_box_only(tmp_path: Path) -> None:
    port = free_port()
    more = f'[http]\nport = {port}\n[[sources]]\nname = "kitchen"\nfile = "{SCENE}"'
    config = configuration(tmp_path, free_port(), source=ENDLESS, more=more)
    with service(tmp_path, config) as (process, _):
        assert page(port, "healthz") == '{"hanging": []}\n'
        wait_for(lambda: unready(port).get("kitchen", False), within=10, what="one of two sources")
        assert not unready(port)["bedroom"]
        assert 'vser_source_heard{source="bedroom"} 0.0' in page(port, "metrics")
        assert "broker away" in page(port, "")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            page(port, "etc/passwd")
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=b"x", timeout=HANGS)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)
        ends(process, within=10)


def unready(port: int) -> dict[str, bool]:
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        page(port, "readyz")
    sources: dict[str, bool] = json.load(refused.value)["sources"]
    return sources


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=HANGS) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("trouble", ["broker away", "broker frozen", "camera frozen", "disk hangs"])
def test_it_ends_within_five_seconds_whatever_hangs(tmp_path: Path, trouble: str) -> None:
    with ExitStack() as later:
        broker = later.enter_context(Mosquitto(tmp_path))
        served = later.enter_context(camera(voice(10.0), tmp_path))
        config = configuration(tmp_path, broker.port, source=f'url = "{served.url("l16")}"')
        process, systemd = later.enter_context(service(tmp_path, config))
        well = "STATUS=1 of 1 sources monitored; broker connected; 0 messages waiting"
        systemd.until(lambda heard: well in heard, within=20, what="all well")
        if trouble == "broker away":
            broker.stop()
        elif trouble == "broker frozen":
            broker.freeze()
        elif trouble == "camera frozen":
            served.freeze()
        else:
            locked = later.enter_context(sqlite3.connect(tmp_path / "state/outbox.db"))
            locked.execute("BEGIN EXCLUSIVE")
        code, took, log = ends(process, within=6.0)
        _log.info("%s: ended after %.2f s with code %d", trouble, took, code)
    assert took < 5.0 * BUSY, log
    assert "Traceback" not in log


def test_without_a_status_port_nothing_of_a_web_server_is_loaded() -> None:
    code = (
        "import sys, vser_stream.runtime.service as service\n"
        "from vser_stream.config.schema import HttpConfig\n"
        "service._page(HttpConfig(), None, None)\n"
        "assert not {'uvicorn', 'starlette'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
