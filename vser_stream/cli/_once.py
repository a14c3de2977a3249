"""A line that is worth saying once."""

from __future__ import annotations

import sys

__all__ = ["Unusable"]


class Unusable:
    """Says on stderr, the first time only, that an answer of the reasoner could not be used."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self, why: str) -> None:
        """Hear why."""
        if not self._told:
            self._told = True
            print(
                f"vser-stream: no usable answer from the reasoner, the SVM decides (reported once): {why}",
                file=sys.stderr,
            )
