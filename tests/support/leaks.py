"""What a test must leave as it found it: threads, file descriptors, child processes."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_leaks(*, within: float = 2.0) -> Iterator[None]:
    """Fail if threads or open descriptors remain ``within`` seconds after the block."""
    before = _held()
    yield
    due = time.monotonic() + within
    while (left := _held() - before) and time.monotonic() < due:
        gc.collect()  # what a traceback holds on to is no leak
        time.sleep(0.02)
    assert not left


def _held() -> set[str]:
    threads = {f"thread {thread.name}" for thread in threading.enumerate()}
    return threads | {f"{entry.name} -> {_target(entry)}" for entry in Path("/proc/self/fd").iterdir()}


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:  # the descriptor that listed the folder
        return "gone"
