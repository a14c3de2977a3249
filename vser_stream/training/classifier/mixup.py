"""Small networks fitted to mixed pairs of rows; needs torch, and nobody who only runs or writes them does.

Mixup (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018): each step learns from pairs of
rows, inputs and aims mixed by the same share, so that between two rows the answer changes gradually.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Size", "fit_network"]

_FORGET: Final = (0.2, 0.5)
"""Share of the inputs, and of the units, left out of each step (dropout)."""

_MIX: Final = 0.3
"""Both parameters of the beta distribution by which two rows are mixed."""

_RATE: Final = 2e-3
_DECAY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Size:
    """Of a network and of its learning."""

    width: int
    """Units of each of its two hidden layers."""

    epochs: int
    batch: int
    """Pairs of rows in a step."""


def fit_network(
    rows: NDArray[np.float32],
    y: NDArray[np.int64],
    weights: NDArray[np.float32],
    *,
    answers: int,
    size: Size,
    seed: int,
) -> nn.Sequential:
    """Fit a network whose outputs are the logits of the answers.

    Args:
        rows: Scaled inputs, shape (n, n_inputs).
        y: Index of the answer to each row, shape (n,).
        weights: How much each row counts, about 1 in the mean, shape (n,).
        answers: How many answers there are.
        size: Of the network and of its learning.
        seed: Of its start and of every draw: the same seed gives the same weights, bit by bit.
    """
    torch.manual_seed(seed)
    X, W = torch.from_numpy(rows), torch.from_numpy(weights)
    Y = functional.one_hot(torch.from_numpy(y), answers).float()
    network = _untrained(X.shape[1], size.width, answers)
    steps = max(1, size.epochs * len(X) // size.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    share = torch.distributions.Beta(_MIX, _MIX)
    for _ in range(steps):
        one, other = torch.randint(len(X), (2, size.batch))
        mixed = share.sample((size.batch, 1))
        inputs, aims = (_mixed(part, one, other, mixed) for part in (X, Y))
        counts = _mixed(W, one, other, mixed[:, 0])
        losses = -(aims * functional.log_softmax(network(inputs), dim=1)).sum(dim=1)
        optimizer.zero_grad()
        torch.autograd.backward((counts * losses).mean())
        optimizer.step()
        schedule.step()
    return network.eval()


def _untrained(inputs: int, width: int, answers: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(_FORGET[0]),
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Dropout(_FORGET[1]),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(_FORGET[1]),
        nn.Linear(width, answers),
    )


def _mixed(part: Tensor, one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    return share * part[one] + (1.0 - share) * part[other]
