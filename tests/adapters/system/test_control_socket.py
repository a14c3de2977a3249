"""The local socket: who asks, what is answered, and that no caller costs the daemon anything."""

import asyncio
import json
import logging
import os
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.patience import HANGS
from support.somebody import as_member

from vser_stream.adapters.system import control_socket
from vser_stream.adapters.system.control_socket import LONGEST, MOST, NAME, answering, ask
from vser_stream.errors import ConfigError, DaemonAwayError, OutageError


async def echo(question: bytes, user: int) -> AsyncGenerator[dict[str, object], None]:
    """What was asked, by whom; or what the question wants to go wrong."""
    match json.loads(question):
        case {"wrong": True}:
            raise ConfigError("a file is wrong; correct it")
        case {"bug": True}:
            raise ZeroDivisionError
        case {"for ever": True}:
            while True:
                yield {"still": "here"}
                await asyncio.sleep(0.01)
        case {"much": True}:
            while True:
                yield {"much": "x" * 10_000}
        case asked:
            yield {"asked": asked}
            yield {"user": user}


async def on_crowded_disk(work: Callable[[], None]) -> None:
    """Work on another thread; what it closes is at once something else, as in a daemon that is starting."""
    await asyncio.to_thread(work)
    for taken in [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]:
        asyncio.get_running_loop().call_later(1.0, os.close, taken)


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[None]:
    async with answering(folder, echo, on_disk=on_crowded_disk):
        await opened(folder)
        yield


async def opened(folder: Path) -> None:
    """Return once somebody answers."""
    async with asyncio.timeout(HANGS):
        while True:
            try:
                assert len(await asked(folder, {}))
            except DaemonAwayError:
                await asyncio.sleep(0.01)
            else:
                return


async def asked(folder: Path, question: object) -> list[dict[str, Any]]:
    return await asyncio.to_thread(lambda: list(ask(folder, json.dumps(question))))


async def raw(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(0.0)
    descriptor = os.open(folder, os.O_PATH)
    await asyncio.get_running_loop().sock_connect(line, f"/proc/self/fd/{descriptor}/{NAME}")
    os.close(descriptor)
    return await asyncio.open_unix_connection(sock=line)


async def test_a_question_is_answered_line_by_line_and_the_kernel_says_who_asks(tmp_path: Path) -> None:
    async with listening(tmp_path):
        assert await asked(tmp_path, {"a": 1}) == [{"asked": {"a": 1}}, {"user": os.getuid()}]


async def test_a_folder_may_have_a_name_longer_than_any_address(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    async with listening(folder):
        assert len(await asked(folder, {})) == 2


async def test_what_goes_wrong_there_goes_wrong_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(tmp_path):
        with pytest.raises(ConfigError, match="a file is wrong; correct it"):
            await asked(tmp_path, {"wrong": True})
        with pytest.raises(Exception, match="internal error; see the daemon's log") as bug:
            await asked(tmp_path, {"bug": True})
    assert getattr(bug.value, "exit_code", None) == 1
    assert "ZeroDivisionError" in caplog.text


async def test_where_no_daemon_runs_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(DaemonAwayError, match="start it"):
        list(ask(tmp_path / "nowhere", "{}"))
    async with listening(tmp_path):
        pass
    assert (tmp_path / NAME).exists()
    with pytest.raises(DaemonAwayError, match="start it"):
        list(ask(tmp_path, "{}"))
    async with listening(tmp_path):  # what an earlier one left there is in nobody's way
        assert len(await asked(tmp_path, {})) == 2


ASK = """
import sys
from pathlib import Path
from vser_stream.adapters.system.control_socket import ask
def main():
    print(list(ask(Path(sys.argv[1]), "{}")))
"""


async def test_members_of_the_group_may_ask_and_nobody_else(tmp_path: Path) -> None:
    async with listening(tmp_path):
        member = await asyncio.to_thread(as_member, tmp_path, ASK, tmp_path)
        assert "'asked'" in member.stdout, member.stderr
        (tmp_path / NAME).chmod(0o600 if os.geteuid() == 0 else 0)
        other = await asyncio.to_thread(as_member, tmp_path, ASK, tmp_path)
        assert "UserError" in other.stderr
        assert "permission denied; run this as root" in other.stderr


async def test_a_caller_who_goes_ends_its_question(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def until_gone(question: bytes, user: int) -> AsyncGenerator[dict[str, object], None]:
        yield {"asked": len(question), "by": user}
        if question == b"{}\n":
            return
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async with answering(tmp_path, until_gone, on_disk=on_crowded_disk):
        await opened(tmp_path)
        reader, writer = await raw(tmp_path)
        writer.write(b"for ever\n")
        await reader.readline()
        writer.close()
        async with asyncio.timeout(HANGS):
            await ended.wait()


async def answered(folder: Path) -> None:
    """Return once there is room for a caller."""
    async with asyncio.timeout(HANGS):
        while True:
            try:
                assert len(await asked(folder, {})) == 2
            except OutageError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_only_so_many_callers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "ASK_WITHIN", HANGS)
    async with listening(tmp_path):
        silent = [await raw(tmp_path) for _ in range(MOST)]
        with pytest.raises(OutageError, match="too many"):
            await asked(tmp_path, {})
        for _, writer in silent:
            writer.close()
        await answered(tmp_path)


async def test_who_asks_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(tmp_path):
        monkeypatch.setattr(control_socket, "ASK_WITHIN", 0.1)
        reader, writer = await raw(tmp_path)
        async with asyncio.timeout(HANGS):
            assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "TAKE_WITHIN", 0.1)
    monkeypatch.setattr(control_socket, "ASK_WITHIN", HANGS)
    async with listening(tmp_path):
        deaf = [await raw(tmp_path) for _ in range(MOST)]
        for _, writer in deaf:
            writer.write(b'{"much": true}\n')
        await answered(tmp_path)
        for _, writer in deaf:
            writer.close()


async def test_nothing_that_is_sent_breaks_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fuzz: lines of any bytes and lengths, cut anywhere."""
    caplog.set_level(logging.CRITICAL)
    source = random.Random(0)  # noqa: S311 - fuzz
    async with listening(tmp_path):
        for _ in range(200):
            reader, writer = await raw(tmp_path)
            length = source.choice([0, 1, 10, LONGEST, 3 * LONGEST])
            writer.write(
                source.randbytes(length) + source.choice([b"", b"\n", b"\n{}\n", b"[" * 2000 + b"\n"])
            )
            if source.random() < 0.5:
                writer.write_eof()
                await reader.read()
            writer.close()
        assert len(await asked(tmp_path, {})) == 2


async def test_the_end_of_the_daemon_waits_for_no_caller(tmp_path: Path) -> None:
    async with listening(tmp_path):
        reader, writer = await raw(tmp_path)
        writer.write(b'{"for ever": true}\n')
        await reader.readline()
    async with asyncio.timeout(HANGS):
        await reader.read()
    writer.close()
    assert {task.get_name() for task in asyncio.all_tasks()} & {"control socket"} == set()


async def test_without_a_place_for_it_the_daemon_goes_on_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with answering(tmp_path / "nowhere", echo, on_disk=on_crowded_disk), asyncio.timeout(HANGS):
        while "control socket cannot be opened" not in caplog.text:  # noqa: ASYNC110 - logged
            await asyncio.sleep(0.01)
    with pytest.raises(DaemonAwayError):
        list(ask(tmp_path / "nowhere", "{}"))
