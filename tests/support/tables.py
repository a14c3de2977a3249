"""Tables of invented features: labels differ by a shift along a few of them, speakers along all."""

from __future__ import annotations

import numpy as np

from vser_stream.core.features.functionals import FEATURES
from vser_stream.training.data.histories import Table
from vser_stream.training.simulation.in_home_clips import Rehearsal
from vser_stream.values import ANSWERS

__all__ = ["invented", "invented_homes"]


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


def invented_homes(
    *, speakers: int = 12, rows: int = 15, sides: int = 1, width: int = 0, seed: int = 3
) -> Rehearsal:
    """``rows`` utterances and windows in turn in the home of each speaker, the five answers in turn."""
    rng = np.random.default_rng(seed)
    count = speakers * rows
    answers = np.tile(np.arange(rows) % len(ANSWERS), speakers)
    features = rng.normal(0, 1, (count, len(FEATURES)))
    for answer in range(len(ANSWERS)):
        features[answers == answer, 10 * answer : 10 * answer + 10] += 4.0
    who = np.repeat(np.arange(speakers), rows)
    names = np.array([f"s{speaker:02}" for speaker in who])
    return Rehearsal(
        Table(features.astype(np.float32), np.array([0, 1, 2, 0, 2])[answers], names, np.full(count, "c0")),
        answers=answers,
        whats=np.array(["resident", "angry", "panic", "lively", "scream"])[answers],
        own=answers < 3,
        kinds=np.array(["utterance", "window"])[np.arange(count) % 2],
        spans=np.zeros((count, 2), np.int64),
        snr_db=np.full(count, 20.0, np.float32),
        rooms=np.array([f"{name} 0" for name in names]),
        sides=who % sides,
        looks=rng.normal(0, 1, (count, width)).astype(np.float32),
    )
