"""Tables of invented features: labels differ by a shift along a few of them, speakers along all."""

from __future__ import annotations

import numpy as np

from vser_stream.core.features.functionals import FEATURES
from vser_stream.training.histories import Table

__all__ = ["invented"]


def invented(
    *, speakers: int = 12, clips: int = 4, corpora: int = 2, apart: float = 4.0, seed: int = 0
) -> Table:
    """``clips`` rows of each label for each speaker; labels lie ``apart`` standard deviations."""
    rng = np.random.default_rng(seed)
    rows, y, who, where = [], [], [], []
    for speaker in range(speakers):
        voice = rng.normal(0, 1, len(FEATURES))
        for label in range(3):
            shift = np.zeros(len(FEATURES))
            shift[10 * label : 10 * label + 10] = apart
            rows += [voice + shift + rng.normal(0, 1, len(FEATURES)) for _ in range(clips)]
            y += [label] * clips
            who += [f"s{speaker:02}"] * clips
            where += [f"c{speaker % corpora}"] * clips
    return Table(np.array(rows, np.float32), np.array(y), np.array(who), np.array(where))
