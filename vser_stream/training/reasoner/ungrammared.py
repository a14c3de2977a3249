"""The trained network as a reasoner without a grammar: what it says when nothing holds it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import (
    LABEL_WORDS,
    PREFIX,
    evidence,
    finish,
    opening,
)
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.reason.verify import check
from vser_stream.training.reasoner.network import Network
from vser_stream.training.reasoner.tokenizer import BOS, EOS, id_of
from vser_stream.values import Case, Label, Probabilities

__all__ = ["FreeReasoner", "Honesty", "honesty"]

_LONGEST = 64
"""Tokens of a rationale."""


@dataclass(frozen=True, slots=True, eq=False)
class FreeReasoner:
    """Implements :class:`vser_stream.ports.Reasoner`."""

    network: Network
    tokenizer: Tokenizer
    language: Language = Language.EN

    def judge(self, case: Case, *, within: float) -> Probabilities:  # noqa: ARG002 - it takes what it takes
        """See the port."""
        words = [id_of(self.tokenizer, word) for word in LABEL_WORDS.values()]
        with torch.no_grad():
            logits = self._next(self._told(case, ""))[words]
        return Probabilities(*torch.softmax(logits, dim=0).tolist())

    def explain(self, case: Case, label: Label, *, within: float) -> str:  # noqa: ARG002 - as above
        """See the port; always the most probable words."""
        tokens = self._told(case, opening(case, label, self.language))
        start, end = len(tokens), id_of(self.tokenizer, EOS)
        with torch.no_grad():
            while len(tokens) < start + _LONGEST:
                token = int(self._next(tokens).argmax())
                if token == end:
                    break
                tokens.append(token)
        return finish(_text(self.tokenizer, tokens[start:]), case, self.language)

    def _told(self, case: Case, text: str) -> list[int]:
        told = self.tokenizer.encode(PREFIX + evidence(case) + text)
        return [id_of(self.tokenizer, BOS), *told.ids]

    def _next(self, tokens: Sequence[int]) -> torch.Tensor:
        return self.network.logits(self.network(torch.tensor([list(tokens)]))[0, -1])


def _text(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    """Decode; the words of the prompt stand for themselves and not for bytes."""
    added = {index: token.content for index, token in tokenizer.get_added_tokens_decoder().items()}
    text, held = "", list[int]()
    for token in tokens:
        if token in added:
            text += tokenizer.decode(held) + added[token]
            held = []
        else:
            held.append(token)
    return text + tokenizer.decode(held)


@dataclass(frozen=True, slots=True)
class Honesty:
    """How true rationales are."""

    rationales: int
    faithful: float
    """Share of the claims that are so."""

    passed: float
    """Share of the rationales in which nothing is wrong."""

    coverage: float
    """Share of the cues of the strongest rule for the verdict that are cited."""

    leaks: float
    """Share that names a label."""

    words: float
    """Mean length (words)."""


def honesty(
    rationales: Sequence[str], cases: Sequence[Case], labels: Sequence[Label], *, book: RuleBook
) -> Honesty:
    """Check rationales, each for its case and verdict."""
    checked = [check(*one, book=book) for one in zip(rationales, cases, labels, strict=True)]
    claims = sum(one.claims for one in checked)
    return Honesty(
        rationales=len(checked),
        faithful=1.0 - sum(one.wrong for one in checked) / max(claims, 1),
        passed=_mean([one.passed for one in checked]),
        coverage=_mean([one.coverage for one in checked]),
        leaks=_mean([bool(one.leaks) for one in checked]),
        words=_mean([one.words for one in checked]),
    )


def _mean(values: Sequence[float] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
