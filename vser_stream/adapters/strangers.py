"""Text that somebody else wrote, before it is believed or shown."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["parse_json", "printable"]


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON document holds.

    Raises:
        ValueError: It is none, is nested deeper than anything of ours, or holds what is no number.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def printable(text: str) -> str:
    """The text without what would steer a terminal: escapes, line ends, marks that turn it around."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text[:20])
