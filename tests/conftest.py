"""Fixtures of more than one test file, and what lets the suite pass on a busy box."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.broker import Mosquitto

# Before any test imports what computes, and for the children too. Threads of OpenMP and OpenBLAS wait for
# each other in busy loops: beside busy processes a fit took over two minutes with two of them, 5 s with one.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

# A slow example on a busy machine is no failure.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

_LONGEST_FIRST = ("training", "runtime", "deploy", "cli", "adapters")
"""Folders whose files take longest: begun first, so that no worker ends alone with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first; within a folder all stays in order."""
    here = Path(__file__).parent
    order = {name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(here).parts[0], len(order)))


@pytest.fixture(autouse=True)
def _unlocked_jack() -> None:
    """A PortAudio that is killed while it looks for JACK leaves a lock at which all later ones hang."""
    shared = Path(f"/dev/shm/jack_db-{os.getuid()}")  # noqa: S108 - where JACK puts it
    if shared.exists() and not _mapped(shared):
        shutil.rmtree(shared, ignore_errors=True)


def _mapped(folder: Path) -> bool:
    """Whether some process works with files of ``folder``, as one of a test beside this one."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):  # it has ended
            if str(folder) in maps.read_text():
                return True
    return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as server:
        yield server


@pytest.fixture
def quiet_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is left to the event loop to complain about."""
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"] == []
