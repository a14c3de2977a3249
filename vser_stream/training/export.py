"""From a fitted pipeline to a model folder.

skl2onnx converts some nestings without an error and with swapped columns, so the exported graph
must answer real rows as scikit-learn does, or nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from skl2onnx import to_onnx

from vser_stream.adapters.svm import FILES, answer, open_graph
from vser_stream.core.baseline import Prior
from vser_stream.errors import ModelError
from vser_stream.training.fit import Fitted
from vser_stream.values import LABELS

__all__ = ["OPSET", "PARITY", "check_parity", "to_graph", "write_folder"]

OPSET = 17
"""Operator set of the graph: the newest of the default domain that the SVM operators need."""

PARITY = 1e-4
"""Largest difference of a probability to scikit-learn's that float32 arithmetic explains."""

_Rows = NDArray[np.float32]
_Probabilities = NDArray[np.float64]


def to_graph(fitted: Fitted) -> bytes:
    """Convert a fitted classifier; its probability output has the columns of ``LABELS``.

    Raises:
        ModelError: It was fitted on other labels.
    """
    model = fitted.pipeline
    if list(model.classes_) != list(range(len(LABELS))):
        raise ModelError(f"the pipeline knows the classes {model.classes_}; train with clips of every label")
    row = np.zeros((1, model.n_features_in_), np.float32)
    with warnings.catch_warnings():
        # It looks at SVC's own deprecated sigmoids, which we do not use.
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_`", FutureWarning)
        made = to_onnx(model, row, options={id(model): {"zipmap": False}}, target_opset=OPSET)
    _sharpen(made.graph, fitted.sharpness)
    return bytes(made.SerializeToString())


def _sharpen(graph: onnx.GraphProto, power: float) -> None:
    """Raise the probabilities to ``power`` and make them sum to one again."""
    name = graph.output[1].name
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = ["modest" if tensor == name else tensor for tensor in tensors]
    graph.initializer.append(numpy_helper.from_array(np.array(power, np.float32), "sharpness"))
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "columns"))
    graph.node.extend(
        [
            helper.make_node("Pow", ["modest", "sharpness"], ["raised"]),
            helper.make_node("ReduceSum", ["raised", "columns"], ["total"], keepdims=1),
            helper.make_node("Div", ["raised", "total"], [name]),
        ]
    )


def check_parity(graph: bytes, rows: _Rows, *, expected: _Probabilities) -> float:
    """Return the largest difference of a probability over real rows.

    Args:
        graph: The exported model.
        rows: Real model inputs, shape (n, n_inputs).
        expected: What scikit-learn says about them, shape (n, 3).

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
            f"{worst:.1e}); install the versions of skl2onnx and scikit-learn that pyproject.toml names"
        )
    return worst


def write_folder(
    folder: Path,
    *,
    graph: bytes,
    prior: Prior,
    golden: tuple[_Rows, _Probabilities],
    manifest: Mapping[str, object],
    card: str,
) -> None:
    """Write a model folder beside its place and swap it in whole.

    Args:
        folder: ``models/<name>``; replaced only when everything has been written.
        graph: ``svm.onnx``.
        prior: Where a cold baseline starts.
        golden: Real model inputs and the probabilities they must give.
        manifest: ``manifest.toml``; the sha256 of each file is added.
        card: ``MODEL_CARD.md``.

    Raises:
        ModelError: The disk does not take it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            made = Path(scratch, "new")
            made.mkdir()
            (made / "svm.onnx").write_bytes(graph)
            np.savez(
                made / "vectors.npz",
                location=prior.location,
                scale=prior.scale,
                weight=prior.weight,
                golden_inputs=golden[0],
                golden_probabilities=golden[1],
            )
            (made / "MODEL_CARD.md").write_text(card, encoding="utf-8")
            sums = {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in FILES}
            text = toml({**manifest, "sha256": sums})
            (made / "manifest.toml").write_text(text, encoding="utf-8")
            _swap(made, folder, aside=Path(scratch, "old"))
    except OSError as exc:
        reason = exc.strerror
        raise ModelError(
            f"{folder}: cannot be written ({reason}); make room or choose another place"
        ) from exc


def toml(document: Mapping[str, object], prefix: str = "") -> str:
    """Write nested mappings of strings, numbers, truth values and lists as TOML."""
    plain = {key: value for key, value in document.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in document.items() if isinstance(value, Mapping)}
    # JSON's strings, numbers, truth values and arrays are TOML's too.
    lines = [f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items()]
    for key, table in tables.items():
        path = f"{prefix}{_key(key)}"
        lines.append(f"\n[{path}]\n{toml(table, f'{path}.')}")
    return "".join(lines)


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if bare else json.dumps(name, ensure_ascii=False)


def _swap(made: Path, folder: Path, *, aside: Path) -> None:
    if not folder.exists():
        shutil.move(made, folder)
        return
    folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
