"""A live source that is struck while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from vser_stream.errors import CaptureError
from vser_stream.ports import AudioSource
from vser_stream.values import RATE

__all__ = ["lost"]


def lost(source: AudioSource, cause: Callable[[], None]) -> tuple[str, float]:
    """What is said after ``cause`` struck a running stream, and how much later (s)."""
    struck = 0.0
    try:
        for block in source.blocks(lambda: False):
            if not struck and block.end > RATE // 4:
                cause()
                struck = time.monotonic()
    except CaptureError as exc:
        return str(exc), time.monotonic() - struck
    pytest.fail("the source ended without a word")
