"""What keeps a bug in one source or the reasoner from all others: the one place that catches everything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from vser_stream.errors import CaptureError, OutageError, VserError

__all__ = ["contained"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


def contained(
    work: Callable[[], T], *, source: str, outage: Callable[[str], OutageError] = CaptureError
) -> T:
    """Return what ``work`` for one source, or of the reasoner, returns.

    Raises:
        OutageError: There is a bug in it: to all others an outage, and a traceback in the log.
        VserError: As ``work`` raises it.
    """
    try:
        return work()
    except VserError:
        raise
    except Exception as exc:
        _log.exception("internal error: source=%s", source)
        words = f"internal error ({type(exc).__name__}); please report the traceback in the log"
        raise outage(words) from exc
