"""The TCP line to a server: it can go silent, as behind a broken network."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Line", "line_to"]


class Line:
    """Passes all connections on; see :func:`line_to`."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._workers: list[threading.Thread] = []
        self.cut = threading.Event()
        """Set: connections stay open, and nothing comes through any more."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        with self._listener:
            while not self._ended.is_set():
                if select.select([self._listener], [], [], 0.05)[0]:
                    worker = threading.Thread(target=self._pass_on, args=(self._listener.accept()[0],))
                    worker.start()
                    self._workers.append(worker)
        for worker in self._workers:
            worker.join()

    def stop(self) -> None:
        self._ended.set()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # one side hung up
            while self.cut.is_set() and not self._ended.is_set():
                self._ended.wait(0.05)
            with socket.create_connection(("127.0.0.1", self._upstream)) as server:
                other = {client: server, server: client}
                while not self._ended.is_set():
                    if self.cut.is_set():
                        self._ended.wait(0.05)
                        continue
                    for end in select.select([client, server], [], [], 0.05)[0]:
                        if not (said := end.recv(65_536)):
                            return
                        other[end].sendall(said)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to ``port`` of this machine."""
    line = Line(port)
    thread = threading.Thread(target=line.run)
    thread.start()
    try:
        yield line
    finally:
        line.stop()
        thread.join()
