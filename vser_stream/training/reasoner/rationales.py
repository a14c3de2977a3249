"""Teacher rationales: true, varied, and in both languages.

They are made of the phrases of :mod:`vser_stream.core.reason.grammar` with drawn cues, order and
connectives. They are conditioned on the label and never name it (Su et al. 2025, section 2.1).
"""

from __future__ import annotations

import numpy as np

from vser_stream.core.reason.grammar import FEWEST_CLAIMS, MOST_CLAIMS, PHRASES, claim
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import grounds, rules_for
from vser_stream.values import Case, Cue, Label

__all__ = ["teacher_rationale"]

_TURNED = 0.3
"""Chance that the second ground is cited first."""

_STRONGEST = 0.6
"""Chance that the strongest rule for the verdict is named, then the next, and so on."""

_NAMED = 0.8
"""Chance that a rule is named where one may be."""


def teacher_rationale(case: Case, label: Label, language: Language, rng: np.random.Generator) -> str:
    """Write why ``case`` sounds like ``label``, in the form the model learns.

    Args:
        case: One with grounds of two kinds.
        label: The verdict.
        language: To write in.
        rng: Of the cues, their order and the connectives.
    """
    phrases = PHRASES[language]
    first, *others = _drawn(grounds(case, label), rng)
    text = _one_of(phrases.openings, rng) + claim(first, language) + _one_of(phrases.usual, rng)
    for cue in others:
        text += _one_of(phrases.joins, rng) + claim(cue, language) + _one_of(phrases.it, rng)
    numbers = rules_for(case, label)
    if numbers and rng.random() < _NAMED:
        number = numbers[min(int(rng.geometric(_STRONGEST)), len(numbers)) - 1]
        text += _one_of(phrases.rules, rng).format(number)
    return f"{text}."


def _drawn(cues: tuple[Cue, ...], rng: np.random.Generator) -> list[Cue]:
    """The first two, which are of two kinds, in either order; then up to two others in theirs."""
    first, others = list(cues[:FEWEST_CLAIMS]), cues[FEWEST_CLAIMS:]
    if rng.random() < _TURNED:
        first.reverse()
    wanted = min(int(rng.integers(MOST_CLAIMS - FEWEST_CLAIMS + 1)), len(others))
    kept = np.sort(rng.permutation(len(others))[:wanted])
    return [*first, *(others[int(place)] for place in kept)]


def _one_of(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
