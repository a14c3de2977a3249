"""The daemon's local line: a Unix socket in its state folder; a question each connection, answers as JSON.

Who may ask is who may enter the folder and write to the socket: its user and its group. A caller chooses
neither how much is kept of it nor how long it is waited for, and one that goes away ends its question.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from vser_stream.errors import (
    AudioError,
    ConfigError,
    DaemonAwayError,
    OutageError,
    UserError,
    VserError,
)

__all__ = ["Answers", "answering", "ask"]

NAME = "control.sock"

LONGEST = 4096
"""Longest question (bytes)."""

MOST = 8
"""Callers at once."""

ASK_WITHIN, TAKE_WITHIN = 5.0, 5.0
"""A caller who does not ask, or does not read, is not waited for longer (s)."""

SILENCE = 30.0
"""Longest time in which a living daemon says nothing: a source may have to be waited for (s)."""

_ERRORS: Mapping[int, type[VserError]] = {
    error.exit_code: error for error in (UserError, ConfigError, AudioError, OutageError)
}

_LEAVE_IT: Mapping[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Python 3.13 looks up and deletes what the address says later, when its descriptor is somebody else's."""

_log = logging.getLogger(__name__)

Answers = Callable[[bytes, int], AsyncGenerator[Mapping[str, object], None]]
"""What to say to a question of a user, by its number; raises VserError where it cannot be done."""

OnDisk = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs work that may hang with the disk."""


@asynccontextmanager
async def answering(folder: Path, answers: Answers, *, on_disk: OnDisk) -> AsyncIterator[None]:
    """Answer within the block; where no socket can be had that is told, and nothing else depends on it.

    Args:
        folder: Where the socket is.
        answers: What to say.
        on_disk: Does what touches the disk, on a thread that may hang with it.
    """
    line = _Line(folder, answers, on_disk)
    opening = asyncio.create_task(line.open(), name="control socket")
    try:
        yield
    finally:
        opening.cancel()
        line.close()


class _Line:
    """The socket and its callers."""

    def __init__(self, folder: Path, answers: Answers, on_disk: OnDisk) -> None:
        self._folder, self._answers, self._on_disk = folder, answers, on_disk
        self._socket = socket.socket(socket.AF_UNIX)
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        try:
            await self._on_disk(partial(_bind, self._socket, self._folder))
            self._server = await asyncio.start_unix_server(
                self._meet, sock=self._socket, limit=LONGEST, **_LEAVE_IT
            )
        except OSError as exc:
            _log.error("control socket cannot be opened: %s: %s", self._folder / NAME, exc)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for caller in self._callers:
            caller.cancel()

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(LONGEST)
        if len(self._callers) >= MOST:
            writer.write(
                _line({"error": "too many requests to the daemon at once; try again", "exit_code": 5})
            )
            writer.close()
            return
        caller = asyncio.create_task(self._attend(reader, writer), name="caller on the control socket")
        self._callers.add(caller)
        caller.add_done_callback(self._callers.discard)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One caller, from the question to the end of the answer, or until it goes."""
        try:
            async with asyncio.timeout(ASK_WITHIN):
                question = await reader.readuntil()
            answering = asyncio.create_task(self._answer(question, writer))
            going = asyncio.create_task(reader.read(1))
            try:
                await asyncio.wait({answering, going}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                answering.cancel()
                going.cancel()
                await asyncio.gather(answering, going, return_exceptions=True)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            _log.debug("control socket: a client sent no request: %r", exc)
        finally:
            writer.close()

    async def _answer(self, question: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            async with contextlib.aclosing(self._answers(question, _user_of(writer))) as answers:
                async for answer in answers:
                    await _write(writer, answer)
        except VserError as exc:
            await _write(writer, {"error": str(exc), "exit_code": exc.exit_code})
        except (TimeoutError, OSError) as exc:
            _log.debug("control socket: a client does not read its answer: %r", exc)
            writer.transport.abort()
        except Exception:  # noqa: BLE001 - one caller is no reason to end a monitor
            _log.exception("internal error at the control socket")
            await _write(writer, {"error": "internal error; see the daemon's log", "exit_code": 1})


async def _write(writer: asyncio.StreamWriter, document: Mapping[str, object]) -> None:
    writer.write(_line(document))
    async with asyncio.timeout(TAKE_WITHIN):
        await writer.drain()


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _user_of(writer: asyncio.StreamWriter) -> int:
    """Number of the user at the other end, as the kernel says: SO_PEERCRED of unix(7)."""
    line = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _bind(line: socket.socket, folder: Path) -> None:
    """Take the address; what an earlier daemon left there goes."""
    with _near(folder) as address:
        address.unlink(missing_ok=True)
        line.bind(str(address))
        address.chmod(0o660)


@contextmanager
def _near(folder: Path) -> Iterator[Path]:
    """The socket's address: never longer than the 107 bytes of unix(7), wherever the folder is."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}", NAME)
    finally:
        os.close(descriptor)


def ask(folder: Path, question: str) -> Generator[dict[str, Any]]:
    """Ask the daemon that keeps its state in ``folder``; yield its answers until the last.

    Raises:
        DaemonAwayError: None runs.
        UserError: It does not listen to this user; and what the daemon itself raises.
        OutageError: It fell silent.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(SILENCE)
        try:
            with _near(folder) as address:
                line.connect(str(address))
        except PermissionError as exc:
            raise UserError(
                f"{folder}: permission denied; run this as root or as a member of its group"
            ) from exc
        except OSError as exc:
            raise DaemonAwayError("the daemon is not running; start it: systemctl start vser-stream") from exc
        try:
            with contextlib.suppress(ConnectionError):  # refused before it was asked: the answer says why
                line.sendall(question.encode() + b"\n")
            with line.makefile("rb") as answers:
                for answer in answers:
                    yield _heard(json.loads(answer))
        except (OSError, ValueError) as exc:
            raise OutageError("the daemon stopped answering; see: journalctl -u vser-stream") from exc


def _heard(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise _ERRORS.get(answer["exit_code"], VserError)(answer["error"])
    return answer
