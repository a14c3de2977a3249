"""Cuts the pitch network out of the wheel swift-f0, for ``vser_stream/adapters/models/swift_f0.onnx``.

    python -m vser_stream.training.release.pitch_network vser_stream/adapters/models/swift_f0.onnx

Its weights are SwiftF0's, and so are its answers. What goes: the front end, for which there is
core.features.log_frequency; what no answer depends on, as the last layers look at few of the filters above
the highest pitch; and the work on hops that are only looked at, before the first that is asked for.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import swift_f0
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper

from vser_stream.core.features.log_frequency import BANDS, CONTEXT, WINDOWS

__all__ = ["WHEEL", "network"]

WHEEL = Path(swift_f0.__file__).with_name("model.onnx")
"""The file in the wheel."""

_OPSET = 18
_IR = 8
"""Format of the file: older runtimes read it too."""

_TABLE = "v455"
"""Of the wheel: logarithms of the pitches that can be found, float64."""

_PITCHES = 95

_BINS, _HOPS = 2, 3
"""Axes of what runs through the layers, shape (1, channels, bins, hops)."""

_END = 2**31 - 1


@dataclass
class _Graph:
    """A graph in the making, and the convolutions of the wheel that are still to be used, in their order."""

    convolutions: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: ArrayLike) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, named: str = "", **attributes: Any) -> str:
        output = named or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def cut(self, what: str, axis: int, first: int, end: int = _END) -> str:
        limits = [self.constant(np.array([limit])) for limit in (first, end, axis)]
        return self.add("Slice", what, *limits)

    def convolve(self, what: str, *, dilation: int = 1, above: bool = True) -> str:
        """Add the next one; each takes its reach off the first hops, and sees zeros after the last ones.

        Args:
            what: Its input.
            dilation: Distance of the bins it looks at.
            above: Whether there is nothing above the bins either; else the topmost get no output.
        """
        weights, bias = self.convolutions.pop(0)
        *bins, hops = ((size - 1) // 2 for size in weights.shape[2:])
        below = [dilation * reach for reach in bins]
        return self.add(
            "Conv",
            what,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=weights.shape[2:],
            dilations=[dilation, 1][-len(weights.shape[2:]) :],
            pads=[*below, 0, *(below if above else [0] * len(below)), hops],
        )


def network(wheel: onnx.ModelProto) -> bytes:
    """Return the graph from ``spectra``, shape (1, 3, 128, 7 + n), to ``f0`` (Hz) and ``voicing``, (1, n)."""
    values = {one.name: numpy_helper.to_array(one) for one in wheel.graph.initializer}
    convolutions = [one.input for one in wheel.graph.node if one.op_type == "Conv"]
    graph = _Graph([(values[weights], values[bias]) for _, weights, bias in convolutions])
    pattern = _trunk(graph)
    strengths, scores = graph.convolve(pattern), graph.convolve(pattern)
    _voicing(graph, strengths)
    _f0(graph, scores, values[_TABLE])
    made = helper.make_graph(
        graph.nodes,
        "swift_f0",
        [helper.make_tensor_value_info("spectra", onnx.TensorProto.FLOAT, [1, len(WINDOWS), BANDS, "seen"])],
        [
            helper.make_tensor_value_info("f0", onnx.TensorProto.DOUBLE, [1, "hops"]),
            helper.make_tensor_value_info("voicing", onnx.TensorProto.FLOAT, [1, "hops"]),
        ],
        graph.constants,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    whole = helper.make_model(
        made,
        opset_imports=opset,
        ir_version=_IR,
        doc_string="SwiftF0 0.3.0, Copyright (c) 2025-2026 Lars Nieradzik, MIT; without its front end",
    )
    onnx.checker.check_model(whole, full_check=True)
    return bytes(whole.SerializeToString())


def _trunk(graph: _Graph) -> str:
    """Patterns of harmonics around each bin that may be a pitch, and one hop more than is asked for."""
    pattern = graph.add("Relu", graph.convolve("spectra"))
    for dilation, hops in (
        (1, 1),
        (17, 0),
        (27, 0),
        (40, 0),
        (48, 0),
    ):  # an octave, a twelfth, two octaves ..
        inner = graph.add("Relu", graph.convolve(pattern, dilation=dilation))
        kept = graph.cut(pattern, _HOPS, 2 * hops) if hops else pattern
        pattern = graph.add("Relu", graph.add("Add", kept, graph.convolve(inner, dilation=dilation)))
    # The last two see six bins to either side, the one after them one more.
    inner = graph.cut(pattern, _BINS, 0, _PITCHES + 1 + 2 * 6)
    inner = graph.add("Relu", graph.convolve(inner, dilation=2, above=False))
    kept = graph.cut(graph.cut(pattern, _BINS, 0, _PITCHES + 1), _HOPS, 2)
    pattern = graph.add("Relu", graph.add("Add", kept, graph.convolve(inner, dilation=2, above=False)))
    return graph.add("Relu", graph.convolve(pattern, above=False))


def _voicing(graph: _Graph, strengths: str) -> None:
    """From the strongest of each kind, and the loudness."""
    one, two = graph.constant(np.array([1])), graph.constant(np.array([2]))
    spectra = graph.cut("spectra", _HOPS, CONTEXT - 1)
    loudness = graph.add("ReduceMean", spectra, graph.constant(np.array([1, 2])))
    strongest = graph.add("ReduceMax", strengths, two, keepdims=0)
    evidence = graph.add("Concat", strongest, graph.add("Squeeze", loudness, two), axis=1)
    score = graph.convolve(graph.add("Relu", graph.convolve(evidence)))
    graph.add("Sigmoid", graph.add("Squeeze", score, one), named="voicing")


def _f0(graph: _Graph, scores: str, logarithms: NDArray[np.float64]) -> None:
    """Mean of the best pitch and its neighbours, by their scores."""
    last = graph.constant(np.array([-1]))
    scores = graph.add("Squeeze", graph.cut(scores, _HOPS, 1), graph.constant(np.array([1])))
    scores = graph.add("Transpose", scores, perm=[0, 2, 1])
    best = graph.add("ArgMax", scores, axis=-1)
    three = graph.add("Add", best, graph.constant(np.array([0, 1, 2])))  # in what is padded by one
    nothing = graph.constant(np.array(-np.inf, np.float32))
    padded = graph.add("Pad", scores, graph.constant(np.array([0, 0, 1, 0, 0, 1])), nothing)
    near = graph.add("Cast", graph.add("GatherElements", padded, three, axis=-1), to=onnx.TensorProto.DOUBLE)
    pitches = graph.add("Gather", graph.constant(np.pad(logarithms, 1, mode="edge")), three)
    weighed = graph.add("Mul", graph.add("Softmax", near), pitches)
    graph.add("Exp", graph.add("ReduceSum", weighed, last, keepdims=0), named="f0")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.parse_args().out.write_bytes(network(onnx.load(WHEEL)))


if __name__ == "__main__":
    main()
