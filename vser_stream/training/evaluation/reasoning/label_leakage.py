"""Whether a rationale says anything: can a simple reader tell the verdict from it alone?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

__all__ = ["BlindReading", "blind_reading"]

_FOLDS = 4

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?![\w-])")
"""No figures, and nothing with a hyphen, as the ids of rules have."""


@dataclass(frozen=True, slots=True)
class BlindReading:
    """What a reader of the rationale alone makes of it."""

    rationales: int
    right: float
    """Share of verdicts it tells."""

    guessing: float
    """Share it would be right with the commonest verdict."""


def blind_reading(
    rationales: Sequence[str], verdicts: NDArray[np.int64], speakers: NDArray[np.str_]
) -> BlindReading:
    """Teach a bag of words and pairs of words, and try it on speakers it has not read of.

    Figures and names of rules are hidden: a reader who knows the rules by heart needs no reasons.

    Args:
        rationales: Of any language.
        verdicts: Indices into ``LABELS``, shape (n,).
        speakers: Who was heard, two at least, shape (n,).
    """
    words = TfidfVectorizer(ngram_range=(1, 2), tokenizer=_WORD.findall, token_pattern=None)
    reader = make_pipeline(words, MultinomialNB(alpha=0.1, fit_prior=False))
    folds = GroupKFold(min(_FOLDS, len(np.unique(speakers))))
    told = cross_val_predict(reader, list(rationales), verdicts, groups=speakers, cv=folds)
    return BlindReading(
        rationales=len(rationales),
        right=float(np.mean(told == verdicts)),
        guessing=float(np.bincount(verdicts).max() / len(verdicts)),
    )
