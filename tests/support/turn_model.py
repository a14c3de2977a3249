"""An encoder built as that of smart-turn is, with its names, and so small that it runs in no time."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["FRAMES", "WIDTH", "whole_model"]

FRAMES = 400
"""Of 8 s."""

WIDTH = 16
_HEADS = 2
_POSITIONS = "inner.encoder.embed_positions.weight"


def whole_model(frames: int = FRAMES) -> bytes:
    """Return a graph for spectrograms of one length alone, shape (n, 80, 2 * frames).

    Beside its answer, it gives ``add_268``: what comes out of the second block. Shorter ones have the same
    weights, and the beginning of the same positions.
    """
    rng = np.random.default_rng(0)
    constants: dict[str, NDArray[Any]] = {
        "first": rng.normal(0, 0.2, (WIDTH, 80, 3)),
        "second": rng.normal(0, 0.2, (WIDTH, WIDTH, 3)),
        _POSITIONS: rng.normal(0, 1, (FRAMES, WIDTH))[:frames],
        "later": rng.normal(0, 1, (WIDTH, 1)),
    }
    lengths = {"val_21": frames, "heads": _HEADS, "each": WIDTH // _HEADS, "width": WIDTH}
    nodes = [
        helper.make_node("Shape", ["input_features"], ["val_0"], start=0, end=1),
        helper.make_node("Concat", ["val_0", "val_21", "heads", "each"], ["apart"], axis=0),
        helper.make_node("Concat", ["val_0", "val_21", "width"], ["together"], axis=0),
        helper.make_node("Conv", ["input_features", "first"], ["conv1d"], pads=[1, 1]),
        helper.make_node("Relu", ["conv1d"], ["gelu"]),
        helper.make_node("Conv", ["gelu", "second"], ["conv1d_1"], pads=[1, 1], strides=[2]),
        helper.make_node("Transpose", ["conv1d_1"], ["permute"], perm=[0, 2, 1]),
        helper.make_node("Add", ["permute", _POSITIONS], ["add_20"], "node_add_20"),
        helper.make_node("Reshape", ["add_20", "apart"], ["view"], allowzero=1),
        helper.make_node("Transpose", ["view"], ["query"], perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["view"], ["key"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["query", "key"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "query"], ["attended"]),
        helper.make_node("Transpose", ["attended"], ["beside"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["beside", "together"], ["block"], allowzero=1),
        helper.make_node("Add", ["add_20", "block"], ["add_268"]),
        helper.make_node("MatMul", ["add_268", "later"], ["logits"]),
    ]
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "turn",
        [helper.make_tensor_value_info("input_features", number, ["n", 80, 2 * frames])],
        [
            helper.make_tensor_value_info("logits", number, ["n", frames, 1]),
            helper.make_tensor_value_info("add_268", number, ["n", frames, WIDTH]),
        ],
        [
            *(numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()),
            *(numpy_helper.from_array(np.array([value]), name) for name, value in lengths.items()),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())
