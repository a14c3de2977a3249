"""What keeps a bug in one source from the others: the one place that catches everything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from vser_stream.errors import CaptureError, VserError

__all__ = ["contained"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


def contained(work: Callable[[], T], *, source: str) -> T:
    """Return what ``work`` for one source returns.

    Raises:
        CaptureError: There is a bug in it: an outage of this source, and a traceback in the log.
        VserError: As ``work`` raises it.
    """
    try:
        return work()
    except VserError:
        raise
    except Exception as exc:
        _log.exception("internal error: source=%s", source)
        raise CaptureError(
            f"internal error ({type(exc).__name__}); please report the traceback in the log"
        ) from exc
