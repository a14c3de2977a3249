"""Single bits that a disk or a memory turned over."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["flipped"]


def flipped(content: bytes, *, times: int, seed: int = 0) -> Iterator[bytes]:
    """The same content with one bit turned over, each time another one."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(times):
        place = draw.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)
