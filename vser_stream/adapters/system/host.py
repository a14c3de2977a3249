"""What the box under the daemon is like: its clock and its disk."""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from vser_stream.errors import ConfigError

__all__ = ["clock_is_synchronised", "clock_jump", "free_space", "sync_time"]

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC in the status of adjtimex(2)."""

SYNCS = 5


class _Timex(ctypes.Structure):
    """The beginning of struct timex in adjtimex(2), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def clock_is_synchronised() -> bool | None:
    """Whether the kernel knows that its clock follows a time server; None where it does not say."""
    state = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(state)) < 0:
        return None
    return not state.status & _UNSYNCHRONISED


def clock_jump(seconds: float) -> float:
    """How far the wall clock moves from the steady one while we look (s)."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(seconds)
    return abs((time.time() - wall) - (time.monotonic() - steady))


def free_space(folder: Path) -> int:
    """Bytes that this user can still write below ``folder``, which need not exist yet.

    Raises:
        ConfigError: Nobody can look there.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        return shutil.disk_usage(existing).free
    except OSError as exc:
        raise ConfigError(f"{existing}: {exc.strerror}; check the disk") from exc


def sync_time(folder: Path) -> float:
    """Median time to bring 4 kB safely to the disk of ``folder`` (s).

    Raises:
        ConfigError: Nothing can be written there.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return statistics.median(_sync(file.fileno()) for _ in range(SYNCS))
    except OSError as exc:
        raise ConfigError(
            f"{folder}: {exc.strerror}; set state_dir to a folder this user owns, on a disk with room"
        ) from exc


def _sync(descriptor: int) -> float:
    began = time.monotonic()
    os.write(descriptor, bytes(4096))
    os.fsync(descriptor)
    return time.monotonic() - began
