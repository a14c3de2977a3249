"""The command line in a process of its own, as people run it."""

from __future__ import annotations

import subprocess
import sys

from support.patience import HANGS

__all__ = ["vser_stream"]


def vser_stream(*arguments: object, timeout: float = HANGS) -> subprocess.CompletedProcess[str]:
    """Run ``vser-stream``; a traceback is never an answer."""
    command = [sys.executable, "-m", "vser_stream", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done
