"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["Progress", "silent", "tracked"]

Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps there are."""

_T = TypeVar("_T")


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""


def tracked(steps: Iterable[_T], stage: str, *, total: int, progress: Progress) -> Iterator[_T]:
    """Yield ``steps``, reporting each once it has been worked on."""
    progress(stage, 0, total)
    for done, step in enumerate(steps, start=1):
        yield step
        progress(stage, done, total)
