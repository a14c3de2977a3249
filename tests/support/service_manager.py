"""The socket on which systemd hears from its services."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.daemon import wait_for

__all__ = ["FakeSystemd", "fake_systemd"]


class FakeSystemd:
    """Collects what a service tells; see :func:`fake_systemd`."""

    def __init__(self, address: str, watchdog: float | None) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        """For the service."""

        if watchdog is not None:
            self.environment["WATCHDOG_USEC"] = str(round(1e6 * watchdog))
        self.heard: list[str] = []
        """Assignments, oldest first."""

    def count(self, assignment: str) -> int:
        return self.heard.count(assignment)

    def until(self, condition: Callable[[list[str]], object], *, within: float, what: str) -> None:
        wait_for(lambda: condition(self.heard), within=within, what=f"{what}; heard {self.heard}")


@contextmanager
def fake_systemd(folder: Path, *, watchdog: float | None = None) -> Iterator[FakeSystemd]:
    """Listen on a socket in ``folder``, and want a sign of life every ``watchdog`` seconds."""
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.settimeout(0.1)
        listening = FakeSystemd(address, watchdog)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    listening.heard += line.recv(4096).decode().split("\n")
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield listening
        finally:
            over.set()
            thread.join()
            Path(address).unlink()
