"""Where the daemon's log goes: to systemd's journal with priorities, or to a terminal with times.

A thread of its own writes: a journal that hangs with its disk holds up nobody who has something to say.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

__all__ = ["logging_to"]

PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
"""Least level of each priority of syslog(3); below all of them it is 7, debug."""

MOST = 1000
"""Lines that may wait for the journal."""

WRITTEN_WITHIN = 0.5
"""Longest wait for the journal in the end (s)."""


class _Journal(logging.Formatter):
    """Lines as sd-daemon(3) wants them; the journal has times of its own.

    Each line becomes an entry, so each line of a traceback bears the priority.
    """

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in PRIORITIES.items() if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Apart(logging.handlers.QueueHandler):
    """Hands lines to the thread that writes them; what finds no room is counted and told."""

    def __init__(self, writer: logging.Handler) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST)
        super().__init__(self._lines)
        self._writer = writer
        self._lost = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def enqueue(self, record: logging.LogRecord | None) -> None:
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        """Wait for what is on its way, but not for ever."""
        done = self._lines.all_tasks_done
        with done:
            done.wait_for(lambda: not self._lines.unfinished_tasks, WRITTEN_WITHIN)

    def close(self) -> None:
        self.enqueue(None)
        super().close()

    def _write(self) -> None:
        for record in iter(self._lines.get, None):
            self._writer.handle(record)
            if lost := self._lost:
                self._lost -= lost
                words = "log lines lost because the journal was too slow: count=%d"
                self._writer.handle(
                    logging.LogRecord(__name__, logging.WARNING, __file__, 0, words, (lost,), None)
                )
            self._lines.task_done()


@contextmanager
def logging_to(
    stream: TextIO, *, verbose: bool = False, environ: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """Within the block, log what an operator needs; of libraries only what is wrong.

    Args:
        stream: For all lines.
        verbose: Tell what is heard, too: a line for each utterance and more.
        environ: Where systemd says which stream is the journal.
    """
    journal = _is_journal(stream, environ)
    writer = logging.StreamHandler(stream)
    writer.setFormatter(
        _Journal("%(message)s") if journal else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    root, ours = logging.getLogger(), logging.getLogger("vser_stream")
    apart = _Apart(writer)
    root.addHandler(apart)
    ours.setLevel(logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(apart)
        apart.flush()
        apart.close()


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Children inherit the variable though their output may go elsewhere, see systemd.exec(5)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
