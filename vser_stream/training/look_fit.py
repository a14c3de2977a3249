"""Fit the networks of a second look; needs torch, and nobody who only runs or writes them does."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from vser_stream.errors import DataError
from vser_stream.training.fit import Learned
from vser_stream.training.look_head import Head, Layer, scaled_by
from vser_stream.values import ANSWERS

__all__ = ["fit_head"]

_Rows = NDArray[np.float32]
_Beliefs = NDArray[np.float64]

_NETWORKS: Final = 3
_WIDTH: Final = 256
_FORGET: Final = (0.2, 0.5)
"""Share of the inputs, and of the units, left out of each step."""

_MIX: Final = 0.3
"""Both parameters of the beta distribution by which two rows are mixed (mixup)."""

_EPOCHS: Final = 12
_BATCH: Final = 256
_RATE: Final = 2e-3
_DECAY: Final = 0.05


def fit_head(rows: Learned, *, seed: int, networks: int = _NETWORKS) -> Head:
    """Fit some networks to mixed pairs of rows, each from another start.

    Raises:
        DataError: An answer has no row.
    """
    if missing := [answer for index, answer in enumerate(ANSWERS) if index not in rows.y]:
        raise DataError(f"no clip of {', '.join(missing)} to learn from; add some")
    values = np.concatenate([rows.inputs, rows.embeddings], axis=1)
    mean, spread = values.mean(axis=0), values.std(axis=0) + np.float32(1e-6)
    scaled = scaled_by(values, mean, spread)
    made = tuple(_network(scaled, rows.y, rows.weights, seed=seed + number) for number in range(networks))
    return Head(mean, spread, made)


def _network(scaled: _Rows, y: NDArray[np.int64], weights: _Beliefs, *, seed: int) -> tuple[Layer, ...]:
    torch.manual_seed(seed)
    X, W = torch.from_numpy(scaled), torch.from_numpy((weights / weights.mean()).astype(np.float32))
    Y = functional.one_hot(torch.from_numpy(y), len(ANSWERS)).float()
    network = nn.Sequential(
        nn.Dropout(_FORGET[0]),
        nn.Linear(X.shape[1], _WIDTH),
        nn.ReLU(),
        nn.Dropout(_FORGET[1]),
        nn.Linear(_WIDTH, _WIDTH),
        nn.ReLU(),
        nn.Dropout(_FORGET[1]),
        nn.Linear(_WIDTH, len(ANSWERS)),
    )
    steps = max(1, _EPOCHS * len(X) // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    share = torch.distributions.Beta(_MIX, _MIX)
    for _ in range(steps):
        one, other = torch.randint(len(X), (2, _BATCH))
        mixed = share.sample((_BATCH, 1))
        rows, aims = (mixed * part[one] + (1.0 - mixed) * part[other] for part in (X, Y))
        counts = mixed[:, 0] * W[one] + (1.0 - mixed[:, 0]) * W[other]
        losses = -(aims * functional.log_softmax(network(rows), dim=1)).sum(dim=1)
        optimizer.zero_grad()
        torch.autograd.backward((counts * losses).mean())
        optimizer.step()
        schedule.step()
    return tuple(
        (part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy())
        for part in network
        if isinstance(part, nn.Linear)
    )
