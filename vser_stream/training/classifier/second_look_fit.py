"""Fit the networks of a second look; needs torch, and nobody who only runs or writes them does."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vser_stream.errors import DataError
from vser_stream.training.classifier.fit import Learned
from vser_stream.training.classifier.mixup import Size, fit_network
from vser_stream.training.classifier.second_look_head import Head, Layer, scaled_by
from vser_stream.values import ANSWERS

__all__ = ["fit_head"]

_Rows = NDArray[np.float32]
_Beliefs = NDArray[np.float64]

_NETWORKS: Final = 3
_SIZE: Final = Size(width=256, epochs=12, batch=256)


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
    counts = (weights / weights.mean()).astype(np.float32)
    network = fit_network(scaled, y, counts, answers=len(ANSWERS), size=_SIZE, seed=seed)
    return tuple(
        (part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy())
        for part in network
        if isinstance(part, nn.Linear)
    )
