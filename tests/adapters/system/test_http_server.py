"""The server for whoever watches, against callers who drip, flood, lie and hang."""

import asyncio
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.broker import free_port
from support.daemon import wait_for
from support.patience import HANGS

from vser_stream.adapters.system.http_server import Answer, serving
from vser_stream.errors import ConfigError

BODY = b'{"well": true}\n' * 3000


@pytest.fixture
def port() -> Iterator[int]:
    async def answer() -> Answer:
        return Answer(BODY)

    with serving("127.0.0.1", number := free_port(), {"/healthz": answer}, names=["monitor.example"]):
        yield number


def told(port: int, request: bytes, *, shut: bool = False) -> bytes:
    """All that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        said = bytearray()
        while data := connection.recv(65536):
            said += data
        return bytes(said)


def get(path: str = "/healthz", host: str = "127.0.0.1", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def test_it_answers_whole_and_says_what_it_is(port: int) -> None:
    head, _, body = told(port, get()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"cache-control: no-store" in head
    assert b"nosniff" in head
    assert body == BODY
    assert told(port, get(method="HEAD")).endswith(b"\r\n\r\n")
    assert told(port, b"GET /healthz HTTP/1.0\r\n\r\n").endswith(BODY)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/etc/passwd"), 404),
        (get("/healthz?x=1"), 200),
        (get("/healthz/../healthz"), 404),
        (get(method="POST"), 405),
        (get(method="DELETE"), 405),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000, 400),
        (b"GET /" + b"a" * 20_000, 400),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 5000, 400),
    ],
)
def test_what_is_no_question_is_refused(port: int, request_: bytes, status: int) -> None:
    assert told(port, request_, shut=True).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9471", 200),
        ("127.0.0.1:9471", 200),
        ("[::1]:9471", 200),
        ("192.168.1.7", 200),
        (socket.gethostname(), 200),
        ("monitor.example", 200),
        ("stranger.example", 421),
        ("127.0.0.1.stranger.example", 421),
        ("localhost.stranger.example:80", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_a_page_of_a_strangers_cannot_read_it_under_its_own_name(port: int, host: str, status: int) -> None:
    assert told(port, get(host=host)).startswith(b"HTTP/1.1 %d " % status)


def test_connections_that_drip_are_few_for_a_short_time_and_in_nobodys_way(
    port: int,
) -> None:
    threads = threading.active_count()
    dripping = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(200)]
    for _ in range(3):
        for connection in dripping:
            try:
                connection.send(b"G")
            except OSError:
                continue
        assert told(port, get()).endswith(BODY)
    assert threading.active_count() == threads

    def ended(connection: socket.socket) -> bool:
        connection.settimeout(0)
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    # The last few are not pushed out by others: they meet the deadline.
    wait_for(lambda: all(map(ended, dripping)), within=30, what="the end of all that drip")
    for connection in dripping:
        connection.close()


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async def answer() -> Answer:
        return Answer(b"x" * 20_000_000)

    with (
        serving("127.0.0.1", port := free_port(), {"/": answer}),
        socket.create_connection(("127.0.0.1", port), timeout=5) as deaf,
    ):
        deaf.sendall(get("/"))
        time.sleep(0.1)
        assert told(port, get("/")).endswith(b"x" * 1000)


def test_hundreds_of_broken_requests_leave_it_well(port: int) -> None:
    chance = random.Random(5)  # noqa: S311 - the same each time
    good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    for _ in range(400):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.choice(b"\x00\r\n :/\xff-9Z%")
        said = told(port, bytes(broken[: chance.randint(1, len(broken))]), shut=True)
        assert not said or said.startswith(b"HTTP/1.1 ")
    assert told(port, get()).endswith(BODY)


def test_questions_to_the_daemon_come_one_at_a_time_and_who_asks_the_same_shares_the_answer() -> None:
    at_once: list[int] = []
    asked = 0

    async def answer() -> Answer:
        nonlocal asked
        asked += 1
        at_once.append(asked)
        await asyncio.sleep(0.1)
        asked -= 1
        return Answer(BODY)

    heard: list[bytes] = []
    with serving("127.0.0.1", port := free_port(), {"/a": answer, "/b": answer}):
        callers = [
            threading.Thread(target=lambda path=path: heard.append(told(port, get(path))))
            for path in ("/a", "/b", "/a", "/b", "/a", "/b", "/a", "/b")
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert set(at_once) == {1}
    assert len(at_once) < len(callers)
    assert all(one.endswith(BODY) for one in heard)


def test_a_question_that_fails_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> Answer:
        raise ZeroDivisionError

    async def answer() -> Answer:
        return Answer(BODY)

    with serving("127.0.0.1", port := free_port(), {"/a": fails, "/b": answer}):
        assert told(port, get("/a")).startswith(b"HTTP/1.1 500 ")
        assert told(port, get("/b")).endswith(BODY)
    assert "ZeroDivisionError" in caplog.text


def test_callers_and_their_mistakes_fill_no_journal(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    for request in (get(), get("/none"), get(host="stranger.example"), b"\x16\x03\x01\x02\x00", upgrade):
        assert told(port, request, shut=True).startswith(b"HTTP/1.1 ")
    assert caplog.records == []


def test_it_ends_at_once_and_in_silence_while_somebody_waits(caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    async def hangs() -> Answer:
        asked.set()
        await asyncio.Event().wait()
        return Answer(BODY)

    with (
        socket.socket() as waiting,
        serving("127.0.0.1", port := free_port(), {"/": hangs}),
    ):
        waiting.connect(("127.0.0.1", port))
        waiting.sendall(get("/"))
        assert asked.wait(HANGS)
    assert "http" not in {thread.name for thread in threading.enumerate()}
    assert caplog.records == []


def test_who_drips_takes_the_place_of_nobody_who_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vser_stream.adapters.system.http_server.SLOW", 600.0)
    go = threading.Event()

    async def answer() -> Answer:
        await asyncio.to_thread(go.wait)
        return Answer(BODY)

    with ExitStack() as stack:
        stack.enter_context(serving("127.0.0.1", port := free_port(), {"/": answer}))
        stack.callback(go.set)

        def connected(request: bytes) -> socket.socket:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(request)
            return connection

        waiting = [connected(get("/")) for _ in range(12)]
        assert told(port, get("/none")).startswith(b"HTTP/1.1 404 "), "by now those before it have asked"
        for _ in range(40):
            connected(b"G")
        assert told(port, get("/none")).startswith(b"HTTP/1.1 404 ")
        go.set()
        assert all(connection.makefile("rb").read().endswith(BODY) for connection in waiting)


def test_a_port_that_is_taken_is_told(port: int) -> None:
    with pytest.raises(ConfigError, match="choose another"), serving("127.0.0.1", port, {}):
        pass
    with pytest.raises(ConfigError, match="no server at"), serving("no-such-host.invalid", 1, {}):
        pass
