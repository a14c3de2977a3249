"""A model that hears panic in every voice, so that a test need not wait for a real one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.feature_identity import digest

__all__ = ["panic_model"]

PROBABILITIES = (0.01, 0.01, 0.98)
"""Calm, angry, panic."""


def panic_model(folder: Path) -> Path:
    """Write such a model into ``folder``, which is made; return it."""
    folder.mkdir()
    (folder / "svm.onnx").write_bytes(_graph())
    (folder / "MODEL_CARD.md").write_text("Hears panic in everything.\n")
    ones = np.ones(len(FEATURES), np.float32)
    golden = np.array([PROBABILITIES])
    np.savez(
        folder / "vectors.npz",
        location=ones,
        scale=ones,
        weight=ones,
        golden_inputs=np.ones((1, 2), np.float32),
        golden_probabilities=golden,
    )
    sums = "".join(
        f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n' for path in folder.iterdir()
    )
    (folder / "manifest.toml").write_text(
        f'name = "panic"\nversion = "1"\nfeatures = "{digest(SwiftF0Tracker())}"\n'
        'labels = ["calm", "angry", "panic"]\n'
        f"[escalation]\ndefault_share = 10\nbelow = {{ 10 = 0.5 }}\n[sha256]\n{sums}"
    )
    return folder


def _graph() -> bytes:
    answer = helper.make_tensor("answer", TensorProto.FLOAT, (1, 3), PROBABILITIES)
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["probabilities"], value=answer)],
        "panic",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, None])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
