"""What a test must leave as it found it: threads, file descriptors, child processes."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.patience import BUSY


@contextmanager
def no_leaks(*, within: float = 2.0) -> Iterator[None]:
    """Fail if threads, children or descriptors stay after the block; a quiet box needs ``within`` (s)."""
    before = _held()
    yield
    due = time.monotonic() + within * BUSY
    while (left := _held() - before) and time.monotonic() < due:
        gc.collect()  # what a traceback holds on to is no leak
        time.sleep(0.02)
    assert not left, f"left behind: {sorted(left)}"


def memory() -> float:
    """What this process holds in memory now (MB)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def _held() -> set[str]:
    threads = {f"thread {thread.name}" for thread in threading.enumerate()}
    children = {f"process {pid}" for task in Path("/proc/self/task").iterdir() for pid in _children(task)}
    return threads | children | _open_files()


def _open_files() -> set[str]:
    """Each descriptor with what it leads to, but for the one that listed them: its number is any free one."""
    found = ((entry.name, _target(entry)) for entry in Path("/proc/self/fd").iterdir())
    return {f"{number} -> {target}" for number, target in found if target}


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:  # the thread has ended since the folder was listed
        return []


def _target(entry: Path) -> str | None:
    try:
        return str(entry.readlink())
    except FileNotFoundError:  # closed since
        return None
