"""From a fitted pipeline to a model folder.

The exported graph must answer real rows as the trained machines do, or nothing is written.
"""

from __future__ import annotations

import hashlib
import io
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import tomli_w
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vser_stream.adapters.models.manifest import MANIFEST, SUMS, sums_of
from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.adapters.models.onnx_second_look import FILE as LOOK
from vser_stream.adapters.models.onnx_second_look import NOTICE, SECTION
from vser_stream.adapters.models.onnx_svm import FILES, answer
from vser_stream.adapters.storage.output_files import check_folder, replacing
from vser_stream.core.scoring.baseline import Prior
from vser_stream.errors import ModelError
from vser_stream.training.classifier.fit import FARTHEST, Fitted
from vser_stream.training.classifier.second_look_graph import SecondLookMade, notice
from vser_stream.values import ANSWERS

__all__ = ["OPSET", "PARITY", "check_model_folder", "check_parity", "to_graph", "write_folder"]

OPSET = 17
"""Operator set of the graph."""

_FORMER = "second.onnx"
"""What a model folder of 0.1.0 holds beside."""

_IR = 8
"""Format of the file: that of the operator set, which older runtimes read too."""

PARITY = 1e-4
"""Largest difference of a probability to the trained machines' that float32 arithmetic explains."""

_Rows = NDArray[np.float32]
_Probabilities = NDArray[np.float64]


def to_graph(fitted: Fitted) -> bytes:
    """Write fitted machines as a graph; its probability output has the columns of ``ANSWERS``."""
    constants = _constants(fitted)
    inputs = len(fitted.mean)
    graph = helper.make_graph(
        [helper.make_node(*node) for node in _NODES],
        "svm",
        [helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, len(ANSWERS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
    return bytes(made.SerializeToString())


_NODES: Final = (
    ("Sub", ["X", "mean"], ["centred"]),
    ("Div", ["centred", "scale"], ["far"]),
    ("Clip", ["far", "least", "most"], ["scaled"]),
    # -gamma |x - s|^2, as -gamma x.x + 2 gamma x.s - gamma s.s
    ("Mul", ["scaled", "scaled"], ["squares"]),
    ("MatMul", ["squares", "own"], ["length"]),
    ("Gemm", ["scaled", "landmarks", "lengths"], ["across"]),
    ("Add", ["across", "length"], ["exponent"]),
    ("Exp", ["exponent"], ["kernel"]),
    ("Gemm", ["kernel", "dual", "offset"], ["logits"]),
    ("Softmax", ["logits"], ["probabilities"]),
)
"""Operator, inputs and output, in order."""


def _constants(fitted: Fitted) -> dict[str, NDArray[Any]]:
    """What calibrates is linear in the margins, and goes into the weights of the machines."""
    calibration = fitted.sharpness * fitted.calibration
    constants = {
        "mean": fitted.mean,
        "scale": fitted.scale,
        "least": np.array(-FARTHEST),
        "most": np.array(FARTHEST),
        "own": np.full((fitted.landmarks.shape[1], 1), -fitted.gamma),
        "landmarks": 2 * fitted.gamma * fitted.landmarks.T,
        "lengths": -fitted.gamma * np.sum(fitted.landmarks**2, axis=1),
        "dual": fitted.dual @ calibration[:-1],
        "offset": fitted.offset @ calibration[:-1] + calibration[-1],
    }
    return {name: value.astype(np.float32) for name, value in constants.items()}


def check_parity(graph: bytes, rows: _Rows, *, expected: _Probabilities) -> float:
    """Return the largest difference of a probability over real rows.

    Args:
        graph: The exported model.
        rows: Real model inputs, shape (n, n_inputs).
        expected: What the machines themselves say about them, shape (n, 5).

    Raises:
        ModelError: A probability differs by more than :data:`PARITY`.
    """
    answers = answer(open_graph(graph, name="the exported graph"), rows)
    worst = float(np.max(np.abs(answers - expected)))
    others = int(np.sum(answers.argmax(axis=1) != expected.argmax(axis=1)))
    # With differences this small a label can only differ in a tie. Not ">": a NaN must not pass.
    if not worst <= PARITY:
        raise ModelError(
            f"the exported graph answers {others} of {len(rows)} rows with another label (largest difference "
            f"{worst:.1e}); install the version of onnxruntime that pyproject.toml names"
        )
    return worst


def check_model_folder(folder: Path, *, holds: str = "svm.onnx") -> None:
    """Return if a model may be written there: nothing is there, or a model of this kind.

    Args:
        folder: Of the model.
        holds: The file that makes it one of this kind.

    Raises:
        UserError: Something else is there, or the folder above is missing.
    """

    def ours(folder: Path) -> bool:
        try:
            manifest = tomllib.loads((folder / MANIFEST).read_text("utf-8"))
            return {"name", "version", "labels"} <= manifest.keys() and holds in manifest["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    check_folder(folder, ours=ours, what=f"{MANIFEST} of a trained {holds}")


@dataclass(frozen=True, slots=True, eq=False)
class ModelParts:
    """What the files of a model folder are made of."""

    graph: bytes
    """``svm.onnx``."""

    prior: Prior
    """Where a cold baseline starts."""

    golden: tuple[_Rows, _Probabilities]
    """Real model inputs, shape (n, n_inputs), and the probabilities they must give, shape (n, n_answers)."""

    manifest: Mapping[str, object]
    """``manifest.toml``; the sha256 of each file is added."""

    card: str
    """``MODEL_CARD.md``."""

    look: SecondLookMade | None = None
    """A second look, where there is one: its file, its notice, and what the manifest says of it."""


def write_folder(folder: Path, parts: ModelParts) -> None:
    """Write a model folder beside its place and swap it in whole.

    Args:
        folder: ``models/<name>``; replaced only when everything has been written.
        parts: What to write.

    Raises:
        ModelError: The disk does not take it.
    """
    vectors = io.BytesIO()
    np.savez(
        vectors,
        location=parts.prior.location,
        scale=parts.prior.scale,
        weight=parts.prior.weight,
        golden_inputs=parts.golden[0],
        golden_probabilities=parts.golden[1],
    )
    files = {"svm.onnx": parts.graph, "vectors.npz": vectors.getvalue(), "MODEL_CARD.md": parts.card.encode()}
    manifest = parts.manifest
    if parts.look is not None:
        files |= {LOOK: parts.look.graph, NOTICE: notice().encode()}
        manifest = {**manifest, SECTION: parts.look.section}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[MANIFEST] = tomli_w.dumps({**manifest, "sha256": sums}).encode()
    files[SUMS] = sums_of(files[MANIFEST]).encode()
    try:
        with replacing(folder, (MANIFEST, SUMS, *FILES, LOOK, NOTICE, _FORMER)) as made:
            for name, content in files.items():
                (made / name).write_bytes(content)
    except OSError as exc:
        reason = exc.strerror
        raise ModelError(
            f"{folder}: cannot be written ({reason}); make room or choose another place"
        ) from exc
