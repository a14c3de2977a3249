from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.training.classifier.second_look_head import Head, head_nodes, scaled_by

INPUTS, STATISTICS = 4, 3
RNG = np.random.default_rng(7)


def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return RNG.normal(0.0, 1.0, shape).astype(np.float32)


HEAD = Head(
    mean=drawn(INPUTS + STATISTICS),
    spread=np.abs(drawn(INPUTS + STATISTICS)) + np.float32(0.5),
    networks=(
        ((drawn(7, 6), drawn(6)), (drawn(6, 5), drawn(5))),
        ((drawn(7, 5), drawn(5)),),
    ),
)


def test_beliefs_are_distributions_and_the_geometric_mean_of_those_of_each_network() -> None:
    inputs, statistics = drawn(9, INPUTS), drawn(9, STATISTICS)
    found = HEAD.judge(inputs, statistics)
    assert found.shape == (9, 5)
    assert found.sum(axis=1) == pytest.approx(1.0)
    each = [Head(HEAD.mean, HEAD.spread, (one,)).judge(inputs, statistics) for one in HEAD.networks]
    mean = np.sqrt(each[0] * each[1])
    assert found == pytest.approx(mean / mean.sum(axis=1, keepdims=True), abs=1e-6)


def test_nothing_counts_farther_than_five_standard_deviations() -> None:
    values = np.array([[100.0, -100.0, 1.0]], np.float32)
    mean, spread = np.zeros(3, np.float32), np.full(3, 2.0, np.float32)
    assert scaled_by(values, mean, spread).tolist() == [[5.0, -5.0, 0.5]]
    far = drawn(1, STATISTICS)
    one = HEAD.judge(np.full((1, INPUTS), 1e4, np.float32), far)
    assert np.array_equal(one, HEAD.judge(np.full((1, INPUTS), 1e6, np.float32), far))


def test_however_sure_a_network_is_its_belief_is_a_number() -> None:
    huge = tuple(tuple((1e4 * weights, bias) for weights, bias in network) for network in HEAD.networks)
    found = Head(HEAD.mean, HEAD.spread, huge).judge(drawn(5, INPUTS), drawn(5, STATISTICS))
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("rows", [1, 2])
def test_the_graph_believes_the_mean_of_what_the_networks_believe_of_each_row(rows: int) -> None:
    made = list(head_nodes(HEAD, INPUTS))
    graph = helper.make_graph(
        [one for one in made if isinstance(one, onnx.NodeProto)],
        "head",
        [
            helper.make_tensor_value_info("X", TensorProto.FLOAT, ["k", INPUTS]),
            helper.make_tensor_value_info("statistics", TensorProto.FLOAT, [1, STATISTICS]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 5])],
        [one for one in made if isinstance(one, onnx.TensorProto)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    inputs, statistics = drawn(rows, INPUTS), drawn(1, STATISTICS)
    session = open_graph(model.SerializeToString(), name="head")
    (found,) = session.run(["probabilities"], {"X": inputs, "statistics": statistics})
    expected = HEAD.judge(inputs, np.repeat(statistics, rows, axis=0)).mean(axis=0, keepdims=True)
    assert found == pytest.approx(expected, abs=1e-5)
