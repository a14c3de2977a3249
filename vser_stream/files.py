"""Small files that people name: read whole, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["MOST", "first_line", "read_text", "regular"]

MOST = 2**20
"""Longest file that is read; a configuration has some kB (bytes)."""


def read_text(path: Path) -> str:
    """Return what a UTF-8 file holds; a byte order mark, which Windows writes, is no part of it.

    Raises:
        OSError: It cannot be read, is no regular file, or is too long; ``strerror`` says so in words.
        UnicodeDecodeError: It is not UTF-8.
    """
    # A pipe or a terminal would be waited for, in the event loop too.
    with open(regular(path), "rb", opener=_without_waiting) as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise OSError(errno.EFBIG, f"longer than {MOST} bytes", str(path))
    return data.decode("utf-8-sig")


def first_line(path: Path) -> str:
    """Return a password or key: the first line of a file, blanks included, without its line end.

    Raises:
        OSError: As :func:`read_text`; ``strerror`` never quotes the file.
    """
    try:
        line = read_text(path).partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "not UTF-8 text", str(path)) from None
    if not line:
        raise OSError(errno.ENODATA, "its first line is empty", str(path))
    if not line.isprintable():
        raise OSError(errno.EILSEQ, "its first line holds control characters", str(path))
    return line


def regular(path: Path) -> Path:
    """Return the path of a regular file.

    Raises:
        OSError: It is something else, or is not there.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return path


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
