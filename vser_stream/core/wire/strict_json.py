"""JSON from outside: what is no JSON by its standard is none here, so that no NaN comes in."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["loads"]


def loads(text: str | bytes) -> Any:
    """Read a document.

    Raises:
        ValueError: It is no JSON, holds a number that is none or infinite, or is nested too deep.
    """
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError as exc:
        raise ValueError("it is nested too deep") from exc


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number[:20]} is no number")
    return value
