"""The command line in a process of its own, as people run it."""

from __future__ import annotations

import subprocess
import sys

from support.patience import BUSY, HANGS

__all__ = ["vser_stream"]

_ASKING = {"ack", "pause", "resume"}
"""Verbs that wait for the answer of a daemon."""


def vser_stream(*arguments: object, timeout: float = HANGS) -> subprocess.CompletedProcess[str]:
    """Run ``vser-stream``; a traceback is never an answer."""
    given = [*map(str, arguments)]
    if given[0] in _ASKING and "--wait" not in given:
        given += ["--wait", f"{5 * BUSY:g}"]  # times what it is by default
    command = [sys.executable, "-m", "vser_stream", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done
