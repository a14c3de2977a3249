"""A second opinion on the same rows: boosted trees and small networks, which err elsewhere than the SVM.

Told only what the SVM says, no reasoner has anything to add to it; what it adds comes from here.
Over five speaker-grouped folds the mean of both kinds is better on what the SVM finds ambiguous than
either kind, than extremely random trees, and than a logistic regression (figures in the model card).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor, nn
from torch.nn import functional

from vser_stream.training.classifier.fit import label_weights
from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.mixup import Size, fit_network
from vser_stream.training.data.histories import Rows, cold, listened, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import LABELS

__all__ = ["Second", "fit_second", "second_graph"]

_Floats = NDArray[np.float64]

_FARTHEST = 5.0
"""Standard deviations beyond which an input counts no further in a network."""

_NETWORKS = 3
_SIZE: Final = Size(width=128, epochs=14, batch=128)
_HISTORIES = 2
"""Draws of what the agent heard before, beside the cold row of each clip."""

_OPSET, _ML_OPSET, _IR = 17, 3, 8

_NODE_COLUMNS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_truenodeids",
    "nodes_falsenodeids",
)
_LEAF_COLUMNS = ("target_treeids", "target_nodeids", "target_ids", "target_weights")
_FLOAT_COLUMNS = ("nodes_values", "target_weights")


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """Trees and networks that were fitted; their probabilities are averaged."""

    trees: HistGradientBoostingClassifier
    networks: tuple[nn.Sequential, ...]
    mean: Rows
    """Of each input, shape (n_inputs,)."""

    spread: Rows
    """Standard deviation of each input, shape (n_inputs,)."""

    def judge(self, rows: Rows) -> _Floats:
        """Probabilities of model inputs, shape (n, 3)."""
        with torch.no_grad():
            X = torch.from_numpy(_scaled(rows, self.mean, self.spread))
            told = [functional.softmax(one(X), dim=1).numpy() for one in self.networks]
        return np.asarray((np.mean(told, axis=0) + self.trees.predict_proba(rows)) / 2.0, np.float64)


def fit_second(material: Material, recipe: Recipe, *, seed: int) -> Second:
    """Learn every clip, clean and spoiled, cold and after some listening.

    Args:
        material: What the SVM learns from too.
        recipe: Of the histories and the weights of corpora; the same as the SVM's.
        seed: Of every draw.
    """
    prior, rng = population(material.clean), np.random.default_rng(seed)
    rows, clips = [], []
    for table in (material.clean, *material.spoiled):
        known = [
            listened(table, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
            for _ in range(_HISTORIES)
        ]
        rows += [cold(table, prior), *known]
        clips += [np.arange(len(table))] * (1 + _HISTORIES)
    X, clip = np.concatenate(rows), np.concatenate(clips)
    y, weights = material.clean.y[clip], label_weights(material.clean, recipe.balance)[clip]
    trees = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.06,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    ).fit(X, y, sample_weight=weights)
    mean, spread = X.mean(axis=0), X.std(axis=0) + np.float32(1e-6)
    scaled = _scaled(X, mean, spread)
    counts = weights.astype(np.float32)
    networks = tuple(
        fit_network(scaled, y, counts, answers=len(LABELS), size=_SIZE, seed=seed + number)
        for number in range(_NETWORKS)
    )
    return Second(trees, networks, mean, spread)


def _scaled(rows: Rows, mean: Rows, spread: Rows) -> Rows:
    return np.asarray(np.clip((rows - mean) / spread, -_FARTHEST, _FARTHEST), np.float32)


def second_graph(second: Second) -> bytes:
    """Convert a second opinion; input ``X`` and output ``probabilities`` are those of ``svm.onnx``."""
    initializers = list[onnx.TensorProto]()
    nodes = [_trees_node(second.trees), helper.make_node("Softmax", ["of_trees_raw"], ["of_trees"], axis=1)]
    nodes += _network_nodes(second, initializers)
    told = ["of_trees"] * len(second.networks) + [f"of_{index}" for index in range(len(second.networks))]
    nodes.append(helper.make_node("Mean", told, ["probabilities"]))
    graph = helper.make_graph(
        nodes,
        "second",
        [helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, len(second.mean)])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, len(LABELS)])],
        initializers,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    # The newest IR that every onnxruntime of these operator sets reads.
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=_IR).SerializeToString())


def _trees_node(trees: HistGradientBoostingClassifier) -> onnx.NodeProto:
    """The trees as one node: skl2onnx converts no trees of this scikit-learn."""
    columns: dict[str, list[float]] = {name: [] for name in (*_NODE_COLUMNS, *_LEAF_COLUMNS)}
    forest = [(label, one) for step in trees._predictors for label, one in enumerate(step)]  # noqa: SLF001 - there is no other way in
    for tree, (label, predictor) in enumerate(forest):
        for index, node in enumerate(predictor.nodes):
            leaf = bool(node["is_leaf"])
            row = (tree, index, node["feature_idx"], _not_above(node["num_threshold"]), node["left"])
            for name, value in zip(_NODE_COLUMNS, (*row, node["right"]), strict=True):
                columns[name].append(0 if leaf and name not in _NODE_COLUMNS[:2] else value)
            if leaf:
                for name, value in zip(_LEAF_COLUMNS, (tree, index, label, node["value"]), strict=True):
                    columns[name].append(value)
    attributes: dict[str, Any] = {
        name: [float(value) if name in _FLOAT_COLUMNS else int(value) for value in values]
        for name, values in columns.items()
    }
    modes = ["LEAF" if left == 0 else "BRANCH_LEQ" for left in columns["nodes_truenodeids"]]
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["of_trees_raw"],
        domain="ai.onnx.ml",
        n_targets=len(LABELS),
        base_values=[float(value) for value in trees._baseline_prediction.ravel()],  # noqa: SLF001 - as above
        nodes_modes=modes,
        **attributes,
    )


def _not_above(threshold: float) -> float:
    """The largest single-precision number that is not above a limit: it parts the same rows."""
    near = np.float32(threshold)
    return float(near if near <= threshold else np.nextafter(near, np.float32(-np.inf)))


def _network_nodes(second: Second, initializers: list[onnx.TensorProto]) -> Iterator[onnx.NodeProto]:
    """The networks as nodes; their weights are added to ``initializers``."""

    def constant(name: str, values: Rows) -> str:
        initializers.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    far = np.array(_FARTHEST, np.float32)
    yield helper.make_node("Sub", ["X", constant("mean", second.mean)], ["centred"])
    yield helper.make_node("Div", ["centred", constant("spread", second.spread)], ["spread_out"])
    yield helper.make_node("Clip", ["spread_out", constant("least", -far), constant("most", far)], ["scaled"])
    for index, network in enumerate(second.networks):
        name = "scaled"
        for place, layer in enumerate(network):
            then = f"layer_{index}_{place}"
            if isinstance(layer, nn.Linear):
                weight, bias = (_array(part) for part in (layer.weight, layer.bias))
                inputs = [name, constant(f"{then}_w", weight), constant(f"{then}_b", bias)]
                yield helper.make_node("Gemm", inputs, [then], transB=1)
                name = then
            elif isinstance(layer, nn.ReLU):
                yield helper.make_node("Relu", [name], [then])
                name = then
        yield helper.make_node("Softmax", [name], [f"of_{index}"], axis=1)


def _array(weight: Tensor) -> Rows:
    return np.asarray(weight.detach().numpy(), np.float32)
