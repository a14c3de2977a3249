"""Writing to places that people name: only what is ours is replaced, and whole or not at all.

Look at a place with :func:`check_file` or :func:`check_folder` before the work begins, which may take
hours; write with :func:`replace_file` or :func:`replacing`. What was there before stays until the
new is whole and on the disk, and files of other people are never touched.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vser_stream.errors import UserError

__all__ = ["check_file", "check_folder", "replace_file", "replacing"]

_HEAD = 2**20
"""A file is known by so much of its beginning (bytes)."""


def check_file(path: Path, *, ours: Callable[[bytes], bool], what: str) -> None:
    """Return if a file may be written there: there is none, an empty one, or one of ours.

    Args:
        path: The file.
        ours: Whether a file that begins so (bytes) is one that this program wrote.
        what: What we write there, such as "a table of vser-stream classify".

    Raises:
        UserError: It is somebody else's, no file at all, or its folder is missing or read-only.
    """
    with _in_words(path):
        _check_parent(path)
        if not path.exists():
            return
        if not path.is_file():
            raise UserError(f"{path}: exists and is not a file; choose another name")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    if head and not ours(head):
        raise UserError(f"{path}: exists and is not {what}; move it away or choose another name")


def check_folder(folder: Path, *, ours: Callable[[Path], bool], what: str) -> None:
    """Return if a folder may be made there: there is none, an empty one, or one of ours.

    Args:
        folder: The folder.
        ours: Whether a folder with something in it is one that this program wrote.
        what: What we write there, such as "a model that vser-stream trained".

    Raises:
        UserError: It is somebody else's, no folder at all, or may not be written to.
    """
    with _in_words(folder):
        _check_parent(folder.resolve())
        if not folder.exists():
            return
        if not folder.is_dir():
            raise UserError(f"{folder}: exists and is not a folder; choose another place")
        if any(folder.iterdir()) and not ours(folder):
            raise UserError(
                f"{folder}: is not empty and holds no {what}; nothing was changed; "
                "give a folder that does not exist yet"
            )


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file beside its place, and put it there when it is on the disk.

    Args:
        path: Its folder exists.
        content: All of it.
        mode: Permissions, less those of the umask.

    Raises:
        OSError: The disk does not take it; what was there before still is.
    """
    path = path.resolve()  # where a link points to, the link stays
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


@contextlib.contextmanager
def replacing(folder: Path, own: Sequence[str]) -> Iterator[Path]:
    """Yield an empty folder; what is put into it takes the place of the own files of ``folder``.

    Only when the block ends without an error, and then all of them together: a folder without its
    first file counts as nothing, so that one goes first and comes last. Whatever else lies there stays.

    Args:
        folder: Made if need be; the folder above it exists.
        own: Names of all files that are ours, first the one that vouches for the others.

    Raises:
        OSError: The disk does not take it; what was there before still is.
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        made, aside = Path(scratch, "new"), Path(scratch, "old")
        made.mkdir()
        aside.mkdir()
        yield made
        for file in (*made.iterdir(), made):
            _sync(file)
        folder.mkdir(exist_ok=True)
        _exchange(made, folder, aside, own)


def _exchange(made: Path, folder: Path, aside: Path, own: Sequence[str]) -> None:
    placed: list[Path] = []
    try:
        for name in own:
            if (folder / name).is_file():
                (folder / name).rename(aside / name)
        for name in (name for name in reversed(own) if (made / name).exists()):
            placed.append((made / name).rename(folder / name))  # noqa: PERF401 - each is known before the next
    except BaseException:
        for file in placed:
            file.unlink()
        for file in aside.iterdir():
            file.rename(folder / file.name)
        raise
    _sync(folder)


def _check_parent(path: Path) -> None:
    parent = path.parent
    if not parent.is_dir():
        raise UserError(f"{path}: the folder {parent} does not exist; make it first or choose another place")
    if not os.access(path if path.is_dir() else parent, os.W_OK | os.X_OK):
        raise UserError(f"{path}: {parent} is not writable; choose another place")


def _sync(path: Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise UserError(f"{path}: cannot be examined ({exc.strerror}); choose another place") from exc
