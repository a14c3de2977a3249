"""Hundreds of connections that drip a byte: the daemon hears, and still answers who asks."""

import re
import socket
from contextlib import ExitStack
from pathlib import Path

from support.audio import voice, write
from support.broker import free_port
from support.daemon import configuration, daemon, wait_for

DRIPPING = 600


def asked(port: int, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            return answer.read().decode()


def answers(port: int) -> bool:
    try:
        return asked(port, "healthz").endswith('{"hanging": []}\n')
    except OSError:
        return False


def heard(port: int) -> float:
    """Audio that was looked at so far (s)."""
    line = r'^vser_scored_audio_seconds_total\{source="bedroom"\} (\S+)'
    found = re.search(line, asked(port, "metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_600_connections_that_drip_cost_neither_threads_nor_descriptors_nor_hearing(tmp_path: Path) -> None:
    port = free_port()
    write(tmp_path / "long.wav", voice(120.0))
    config = configuration(tmp_path, free_port(), source='file = "long.wav"', more=f"[http]\nport = {port}")
    with daemon(config) as process, ExitStack() as dripping:
        wait_for(lambda: answers(port), within=60, what="an answer")
        wait_for(lambda: heard(port) > 0.0, within=30, what="the first sound")
        of = Path(f"/proc/{process.pid}")
        threads, files = len(list((of / "task").iterdir())), len(list((of / "fd").iterdir()))
        before = heard(port)
        most = 0
        connections = []
        for _ in range(DRIPPING):
            connections.append(dripping.enter_context(socket.create_connection(("127.0.0.1", port))))
            most = max(most, len(list((of / "fd").iterdir())))
        for _ in range(3):
            for connection in connections:
                try:
                    connection.send(b"G")
                except OSError:
                    continue
            most = max(most, len(list((of / "fd").iterdir())))
            assert answers(port)
        assert len(list((of / "task").iterdir())) <= threads + 4, "a library may start some of its own"
        # 16 are open. The event loop takes what the kernel holds, 128 at most, before it may close any of it.
        assert most <= files + 16 + 2 * 128
        wait_for(lambda: heard(port) >= before + 2.0, within=30, what="two more seconds of sound")
        assert process.poll() is None
