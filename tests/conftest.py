"""Fixtures of more than one test file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.broker import Mosquitto

# A slow example on a busy machine is no failure.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _unlocked_jack() -> None:
    """A PortAudio that is killed while it looks for JACK leaves a lock at which all later ones hang."""
    shutil.rmtree(f"/dev/shm/jack_db-{os.getuid()}", ignore_errors=True)  # noqa: S108 - where JACK puts it


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as server:
        yield server


@pytest.fixture
def quiet_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is left to the event loop to complain about."""
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"] == []
