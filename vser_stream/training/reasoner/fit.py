"""Teaching the network: belief, grounds and rationale at once, from examples drawn as it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from vser_stream.core.reason.prompt import LABEL_WORDS, PREFIX, evidence, opening
from vser_stream.training.progress import Progress, silent
from vser_stream.training.reasoner.examples import Example
from vser_stream.training.reasoner.network import Network
from vser_stream.training.reasoner.tokenizer import BOS, EOS, id_of

__all__ = ["Lesson", "fit_network", "tokens_of"]

_BATCH = 32
_POOL = 8
"""Batches drawn at once and sorted by length, so that little is padded."""

_PEAK = 3e-3
"""Learning rate after the warm-up."""

_WARM_UP = 100
_LAST = 0.02
"""Share of the peak at the end."""

_LABEL, _OPENING, _RATIONALE = 2.0, 0.3, 1.0
"""Weights of the losses: the grounds are given by code, but to predict them teaches copying."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """An example as tokens."""

    tokens: list[int]
    verdict: int
    """Place of the label word."""

    answer: int
    """Place of the first token of the rationale; the length where there is none."""

    belief: tuple[float, ...]
    """Probabilities to learn, in the order of ``LABELS``."""


def tokens_of(tokenizer: Tokenizer, example: Example, *, rationales: bool = True) -> Lesson:
    """Lay out one example."""
    case, label = example.case, example.label
    told = [id_of(tokenizer, BOS), *_ids(tokenizer, PREFIX + evidence(case))]
    opened = _ids(tokenizer, opening(case, label, example.language))
    if not rationales or example.rationale is None:
        return Lesson([*told, opened[0]], len(told), len(told) + 1, example.belief)
    answer = [*_ids(tokenizer, example.rationale), id_of(tokenizer, EOS)]
    return Lesson([*told, *opened, *answer], len(told), len(told) + len(opened), example.belief)


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text).ids)


def fit_network(
    network: Network,
    tokenizer: Tokenizer,
    draw: Callable[[], Example],
    *,
    minutes: float,
    rationales: bool = True,
    progress: Progress = silent,
) -> int:
    """Teach until the time is up; the learning rate follows the clock of the processor.

    So what is learned does not depend on what else the box is doing.

    Args:
        network: To be taught.
        tokenizer: Its own.
        draw: Gives one example.
        minutes: Of processor time.
        rationales: Without them only the belief is taught.
        progress: Told of the seconds gone.

    Returns:
        Examples that were seen.
    """
    labels = torch.tensor([id_of(tokenizer, word) for word in LABEL_WORDS.values()])
    optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK, betas=(0.9, 0.95), weight_decay=0.05)
    batches = _batches(tokenizer, draw, rationales=rationales)
    began, steps, gone = time.process_time(), 0, 0.0
    while gone < 1.0:
        batch = next(batches)
        for group in optimizer.param_groups:
            group["lr"] = _PEAK * min((steps + 1) / _WARM_UP, _eased(gone))
        optimizer.zero_grad()
        loss = _loss(network, batch, labels)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        steps += 1
        gone = min(1.0, (time.process_time() - began) / (60.0 * minutes))
        progress("reasoner", round(60.0 * minutes * gone), round(60.0 * minutes))
    return steps * _BATCH


def _batches(
    tokenizer: Tokenizer, draw: Callable[[], Example], *, rationales: bool
) -> Iterator[list[Lesson]]:
    """Lessons of about the same length together."""
    rng = np.random.default_rng(0)
    while True:
        drawn = [tokens_of(tokenizer, draw(), rationales=rationales) for _ in range(_POOL * _BATCH)]
        drawn.sort(key=lambda one: len(one.tokens))
        for place in rng.permutation(_POOL):
            yield drawn[place * _BATCH : (place + 1) * _BATCH]


def _eased(gone: float) -> float:
    return _LAST + (1.0 - _LAST) * 0.5 * (1.0 + math.cos(math.pi * gone))


def _loss(network: Network, batch: Sequence[Lesson], labels: Tensor) -> Tensor:
    tokens, weights = _padded(batch)
    stream = network(tokens[:, :-1])
    rows = torch.arange(len(batch))
    asked = network.logits(stream[rows, torch.tensor([one.verdict - 1 for one in batch])])
    belief = torch.tensor(np.array([one.belief for one in batch]), dtype=torch.float32)
    of_label = -(belief * functional.log_softmax(asked, dim=1)[:, labels]).sum(dim=1).mean()
    weights = weights[:, 1:]
    taught = weights > 0.0
    if not taught.any():
        return _LABEL * of_label
    each = functional.cross_entropy(network.logits(stream[taught]), tokens[:, 1:][taught], reduction="none")
    return _LABEL * of_label + (each * weights[taught]).sum() / weights.sum()


def _padded(batch: Sequence[Lesson]) -> tuple[Tensor, Tensor]:
    """Tokens and the weight of the loss of each, shape (batch, longest)."""
    longest = max(len(one.tokens) for one in batch)
    tokens = np.zeros((len(batch), longest), np.int64)
    weights = np.zeros((len(batch), longest), np.float32)
    for row, one in enumerate(batch):
        tokens[row, : len(one.tokens)] = one.tokens
        weights[row, one.verdict + 1 : one.answer] = _OPENING
        weights[row, one.answer : len(one.tokens)] = _RATIONALE
    return torch.from_numpy(tokens), torch.from_numpy(weights)
