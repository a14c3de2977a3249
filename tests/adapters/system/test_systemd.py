import os
import socket
from pathlib import Path

import pytest
from support.service_manager import fake_systemd

from vser_stream.adapters.system.systemd import ServiceManager


def test_each_state_is_told_in_the_words_of_sd_notify(tmp_path: Path) -> None:
    with fake_systemd(tmp_path, watchdog=30.0) as systemd:
        manager = ServiceManager(systemd.environment)
        assert manager.watchdog == 30.0
        manager.status("loading\nmodels")
        manager.ready("2 of 2 sources monitored")
        manager.alive()
        manager.reloading()
        manager.stopping()
        systemd.until(lambda heard: "STOPPING=1" in heard, within=5, what="the end")
        systemd.until(lambda heard: len(heard) == 8, within=5, what="all of it")
    [*told, _, reloaded_at, stopping, status] = systemd.heard
    assert told == ["STATUS=loading models", "READY=1", "STATUS=2 of 2 sources monitored", "WATCHDOG=1"]
    assert systemd.heard[4] == "RELOADING=1"
    assert reloaded_at.startswith("MONOTONIC_USEC=")
    assert [stopping, status] == ["STOPPING=1", "STATUS=stopping"]


def test_an_abstract_socket_is_reached(tmp_path: Path) -> None:
    name = f"vser-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0{name}")
        line.settimeout(5.0)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).alive()
        assert line.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager({})
    manager.ready("alone")
    assert (manager.watchdog, caplog.messages) == (0.0, [])


def test_a_vanished_systemd_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    (message,) = caplog.messages
    assert message.startswith("sd_notify failed: message=WATCHDOG=1")
