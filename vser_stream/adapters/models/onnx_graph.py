"""ONNX graphs of a model folder: read only if their sha256 is right, run on one thread by onnxruntime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from vser_stream.errors import ModelError
from vser_stream.files import regular

__all__ = ["COPY_AGAIN", "GRAPH_ERRORS", "content_of", "open_graph", "verified"]

GRAPH_ERRORS: Final = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NotImplemented,
    errors.RuntimeException,
)
"""onnxruntime's errors have no common base."""

COPY_AGAIN: Final = "copy the whole model folder again or train it anew"

_EXACT: Final = "session.x64quantprecision"
"""Without this key sums of products of 8-bit numbers overflow on x86 processors with AVX2 and no VNNI, as
Intel's before 2019: the statistics of the second look are 7 % off (measured on a Haswell made by QEMU), and
with it they are those of other processors to the bit. Those work as they would without it."""


def open_graph(graph: bytes, *, name: str) -> onnxruntime.InferenceSession:
    """Open a graph on one thread: more of them wait for each other longer than they work.

    Raises:
        ModelError: It is not a graph onnxruntime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Speech is of any length, and what is remembered of each would be memory (11 MB) for no time.
    options.enable_mem_pattern = False
    options.add_session_config_entry(_EXACT, "1")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except GRAPH_ERRORS as exc:
        version = onnxruntime.__version__
        raise ModelError(
            f"{name}: is not an ONNX graph that onnxruntime {version} can run; {COPY_AGAIN}"
        ) from exc


def verified(path: Path, sha256: object) -> bytes:
    """Read a file that has this sha256.

    Raises:
        ModelError: It cannot be read, or has another.
    """
    content = content_of(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path}: is not the file that was trained (sha256 differs); {COPY_AGAIN}")
    return content


def content_of(path: Path) -> bytes:
    """Read a file of a model.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        return regular(path).read_bytes()
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror}); {COPY_AGAIN}") from exc
