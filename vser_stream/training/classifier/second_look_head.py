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
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["Head", "Layer", "head_nodes", "scaled_by"]

_Rows = NDArray[np.float32]
_Beliefs = NDArray[np.float64]
Layer = tuple[_Rows, _Rows]
"""Weights, shape (n_in, n_out), and bias, shape (n_out,)."""

_FARTHEST: Final = 5.0
"""Standard deviations beyond which a value counts no further."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Networks whose logarithms of belief are averaged."""

    mean: _Rows
    """Of the model inputs, then of the statistics, shape (n_values,)."""

    spread: _Rows
    """Standard deviation of each, shape (n_values,)."""

    networks: tuple[tuple[Layer, ...], ...]

    def judge(self, inputs: _Rows, embeddings: _Rows) -> _Beliefs:
        """Belief in each answer, shape (n, 5)."""
        scaled = scaled_by(np.concatenate([inputs, embeddings], axis=1), self.mean, self.spread)
        logs = np.mean([_log_beliefs(scaled, network) for network in self.networks], axis=0)
        raised = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


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


def scaled_by(values: _Rows, mean: _Rows, spread: _Rows) -> _Rows:
    """What the networks take: standard deviations from the mean, none beyond 5, shape (n, n_values)."""
    return np.asarray(np.clip((values - mean) / spread, -_FARTHEST, _FARTHEST), np.float32)


def _log_beliefs(scaled: _Rows, network: tuple[Layer, ...]) -> _Beliefs:
    values = scaled
    for place, (weights, bias) in enumerate(network):
        values = values @ weights + bias
        if place < len(network) - 1:
            values = np.maximum(values, 0.0)
    logits = values.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float64)
