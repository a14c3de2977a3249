"""What weighs the statistics of the encoder: small networks that are also given the model inputs.

A logistic regression on the statistics alone told 38 % of the panic events in homes of people and sounds it
had not heard, at half a false panic alarm an hour; with the machines beside it 52 %; these networks 57 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional

from vser_stream.errors import DataError
from vser_stream.training.fit import Learned
from vser_stream.values import ANSWERS

__all__ = ["Head", "fit_head", "head_nodes"]

_Rows = NDArray[np.float32]
_Beliefs = NDArray[np.float64]
_Layer = tuple[_Rows, _Rows]
"""Weights, shape (n_in, n_out), and bias, shape (n_out,)."""

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

_FARTHEST: Final = 5.0
"""Standard deviations beyond which a value counts no further."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Networks whose logarithms of belief are averaged."""

    mean: _Rows
    """Of the model inputs, then of the statistics, shape (n_values,)."""

    spread: _Rows
    """Standard deviation of each, shape (n_values,)."""

    networks: tuple[tuple[_Layer, ...], ...]

    def judge(self, inputs: _Rows, embeddings: _Rows) -> _Beliefs:
        """Belief in each answer, shape (n, 5)."""
        scaled = _scaled(np.concatenate([inputs, embeddings], axis=1), self.mean, self.spread)
        logs = np.mean([_log_beliefs(scaled, network) for network in self.networks], axis=0)
        raised = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def fit_head(rows: Learned, *, seed: int, networks: int = _NETWORKS) -> Head:
    """Fit some networks to mixed pairs of rows, each from another start.

    Raises:
        DataError: An answer has no row.
    """
    if missing := [answer for index, answer in enumerate(ANSWERS) if index not in rows.y]:
        raise DataError(f"no clip of {', '.join(missing)} to learn from; add some")
    values = np.concatenate([rows.inputs, rows.embeddings], axis=1)
    mean, spread = values.mean(axis=0), values.std(axis=0) + np.float32(1e-6)
    scaled = _scaled(values, mean, spread)
    made = tuple(_network(scaled, rows.y, rows.weights, seed=seed + number) for number in range(networks))
    return Head(mean, spread, made)


def head_nodes(head: Head, inputs: int) -> Iterator[onnx.NodeProto | onnx.TensorProto]:
    """Nodes, and their constants, from ``statistics`` and the model inputs ``X`` to ``probabilities``.

    Args:
        head: The networks.
        inputs: Number of model inputs; ``X`` has shape (k, inputs).
    """

    def constant(name: str, value: NDArray[np.generic]) -> onnx.TensorProto:
        return numpy_helper.from_array(value, name)

    yield constant("head first", np.array([0]))
    yield constant("head end", np.array([1]))
    yield constant("head width", np.array([len(head.mean) - inputs]))
    yield constant("head mean", head.mean)
    yield constant("head spread", head.spread)
    yield constant("head least", np.array(-_FARTHEST, np.float32))
    yield constant("head most", np.array(_FARTHEST, np.float32))
    yield helper.make_node("Shape", ["X"], ["rows"], start=0, end=1)
    yield helper.make_node("Concat", ["rows", "head width"], ["as many"], axis=0)
    yield helper.make_node("Expand", ["statistics", "as many"], ["repeated"])
    yield helper.make_node("Concat", ["X", "repeated"], ["values"], axis=1)
    yield helper.make_node("Sub", ["values", "head mean"], ["centred"])
    yield helper.make_node("Div", ["centred", "head spread"], ["spread out"])
    yield helper.make_node("Clip", ["spread out", "head least", "head most"], ["scaled"])
    for number, network in enumerate(head.networks):
        name = "scaled"
        for place, (weights, bias) in enumerate(network):
            then = f"network {number} layer {place}"
            yield constant(f"{then} weights", weights)
            yield constant(f"{then} bias", bias)
            yield helper.make_node("Gemm", [name, f"{then} weights", f"{then} bias"], [then])
            name = then
            if place < len(network) - 1:
                name = f"{then} bent"
                yield helper.make_node("Relu", [then], [name])
        yield helper.make_node("LogSoftmax", [name], [f"network {number}"], axis=1)
    yield helper.make_node("Mean", [f"network {number}" for number in range(len(head.networks))], ["logs"])
    yield helper.make_node("Softmax", ["logs"], ["of each"], axis=1)
    yield helper.make_node("ReduceMean", ["of each", "head first"], ["probabilities"], keepdims=1)


def _scaled(values: _Rows, mean: _Rows, spread: _Rows) -> _Rows:
    return np.asarray(np.clip((values - mean) / spread, -_FARTHEST, _FARTHEST), np.float32)


def _log_beliefs(scaled: _Rows, network: tuple[_Layer, ...]) -> _Beliefs:
    values = scaled
    for place, (weights, bias) in enumerate(network):
        values = values @ weights + bias
        if place < len(network) - 1:
            values = np.maximum(values, 0.0)
    logits = values.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float64)


def _network(scaled: _Rows, y: NDArray[np.int64], weights: _Beliefs, *, seed: int) -> tuple[_Layer, ...]:
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
