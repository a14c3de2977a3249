"""Evidence of invented speakers: the cues follow the label, and so do both opinions, more or less."""

from __future__ import annotations

import numpy as np

from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.training.reasoner.cases import Evidence
from vser_stream.values import Case, Cue, Probabilities

__all__ = ["invented_evidence"]


def invented_evidence(book: RuleBook, *, clips: int = 120, seed: int = 0) -> Evidence:
    """Clips of twenty speakers in five folds."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, clips)
    told = [_case(int(label), book, rng) for label in y]
    speakers = np.array([f"s{row % 20}" for row in range(clips)])
    folds = np.array([row % 5 for row in range(clips)])
    return Evidence(told, told, told, y=y, speakers=speakers, folds=folds)


def _case(label: int, book: RuleBook, rng: np.random.Generator) -> Case:
    cues = []
    for descriptor in DESCRIPTORS:
        z = round(float(np.clip(rng.normal(2.0 * descriptor.aroused * (label > 0), 1.5), -6, 6)), 2)
        cues.append(Cue(descriptor.name, round(200 + 10 * z, 2), descriptor.unit, 200.0, z))
    return Case(_belief(label, rng), _belief(label, rng), tuple(cues), book.fired(cues), (), 20.0)


def _belief(label: int, rng: np.random.Generator) -> Probabilities:
    odds = rng.normal(1.2 * (np.arange(3) == label), 0.8)
    return Probabilities(*(np.exp(odds) / np.exp(odds).sum()).tolist())
