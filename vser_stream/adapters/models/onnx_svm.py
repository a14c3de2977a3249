"""A trained model folder, run by onnxruntime.

A folder is believed only after its files have their sha256, its features are the ones this
build computes, and it answers its golden vectors as it did when it was trained.
"""

from __future__ import annotations

import hashlib
import io
import tomllib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from vser_stream.adapters.models.onnx_graph import COPY_AGAIN, GRAPH_ERRORS, content_of, open_graph, verified
from vser_stream.adapters.models.manifest import MANIFEST, check_sums
from vser_stream.adapters.models.onnx_second_look import look_of
from vser_stream.core.alarm.threshold_curve import Curve, Curves
from vser_stream.core.scoring.baseline import Prior
from vser_stream.core.scoring.feature_identity import known_as
from vser_stream.core.scoring.second_look import Look
from vser_stream.errors import ModelError, ModelMismatchError
from vser_stream.values import ANSWERS, LABELS, Label, Probabilities, Rows

__all__ = ["FILES", "GOLDEN_TOLERANCE", "OnnxScorer", "OnnxSvm", "answer"]

FILES = ("svm.onnx", "vectors.npz", "MODEL_CARD.md")
"""What a model folder holds beside the manifest, which has the sha256 of each."""

GOLDEN_TOLERANCE = 1e-3
"""Largest difference of a probability between processors (float32 sums in another order)."""

_VECTORS = ("location", "scale", "weight", "golden_inputs", "golden_probabilities")


@dataclass(frozen=True, slots=True, eq=False)
class OnnxScorer:
    """A graph from model inputs to probabilities; implements :class:`vser_stream.ports.Scorer`."""

    session: onnxruntime.InferenceSession

    def score(self, rows: Rows) -> Probabilities:
        """Judge one voice by its rows of model inputs, shape (n, n_inputs).

        All at once: the support vectors are read from memory once, and that is most of it.
        """
        answers = self.session.run(["probabilities"], {"X": rows})[0].astype(np.float64)
        return Probabilities.mean([Probabilities.folded(one) for one in answers])


@dataclass(frozen=True, slots=True, eq=False)
class OnnxSvm:
    """A model that has been checked; implements :class:`vser_stream.ports.Scorer`."""

    name: str
    version: str
    sha256: str
    """Of ``manifest.toml``, which holds those of the other files."""

    prior: Prior
    """Calm voice of the speakers it was trained on: where a cold baseline starts."""

    escalate_below: float
    """Confidence under which a decision is escalated (probability)."""

    thresholds: dict[int, float]
    """The same for each share of decisions to escalate (percent)."""

    manifest: dict[str, Any]
    """``manifest.toml`` in full."""

    session: onnxruntime.InferenceSession

    curves: Curves = field(default_factory=dict)
    """What thresholds of the alarm cost with it, for each level that was measured."""

    look: Look | None = None
    """A second look at the sound itself, where the folder holds one and it is wanted."""

    @classmethod
    def load(
        cls, folder: Path, *, features: str, second_look: bool = True, within: float | None = None
    ) -> OnnxSvm:
        """Load and verify ``models/<name>``.

        Args:
            folder: Of the model.
            features: Digest of the features this build computes (see core.features.spec).
            second_look: Load that, too; it takes the most memory.
            within: Longest that somebody waits for a second look (s); None for as long as it takes.

        Raises:
            ModelError: A file is missing, damaged or not the one that was trained, or the model
                answers its golden vectors wrongly.
            ModelMismatchError: It was trained on other features.
        """
        path = folder / MANIFEST
        raw = content_of(path)
        manifest = _manifest(raw, path)
        _check_manifest(manifest, path, features)
        check_sums(folder, raw)
        files = {name: verified(folder / name, manifest.sums.get(name)) for name in FILES}
        vectors = _vectors(files["vectors.npz"], folder / "vectors.npz")
        session = open_graph(files["svm.onnx"], name=str(folder / "svm.onnx"))
        _check_golden(session, vectors, folder, labels=manifest.labels)
        return cls(
            name=manifest.name,
            version=manifest.version,
            sha256=hashlib.sha256(raw).hexdigest(),
            prior=Prior(*(vectors[part].astype(np.float32) for part in ("location", "scale", "weight"))),
            escalate_below=manifest.thresholds[manifest.default_share],
            thresholds=manifest.thresholds,
            manifest=manifest.document,
            session=session,
            curves=manifest.curves,
            look=look_of(folder, sums=manifest.sums, document=manifest.document, within=within)
            if second_look
            else None,
        )

    @property
    def identity(self) -> str:
        """Name, version and the beginning of the hash, as documents name it."""
        return f"{self.name}@{self.version}+{self.sha256[:12]}"

    def score(self, rows: Rows) -> Probabilities:
        """Judge one voice by its rows of model inputs, shape (n, n_inputs)."""
        return OnnxScorer(self.session).score(rows)


_Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Escalation(BaseModel):
    below: dict[Annotated[int, Field(ge=1, le=99)], Annotated[float, Field(ge=0.0, le=1.0)]]
    default_share: int


class _Document(BaseModel):
    """What decisions depend on; the rest is for people."""

    name: _Word
    version: _Word
    features: _Word
    labels: list[str]
    escalation: _Escalation
    sha256: dict[str, str]
    alarm: dict[Literal[Label.PANIC, Label.ANGRY], Curve] = {}


@dataclass(frozen=True, slots=True)
class _Manifest:
    name: str
    version: str
    features: str
    labels: tuple[str, ...]
    thresholds: dict[int, float]
    default_share: int
    sums: dict[str, str]
    curves: Curves
    document: dict[str, Any]


def answer(session: onnxruntime.InferenceSession, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of each row, asked one by one, shape (n, n_answers)."""
    answers = [session.run(["probabilities"], {"X": row[np.newaxis]})[0][0] for row in rows]
    return np.asarray(answers, np.float64)


def _manifest(raw: bytes, path: Path) -> _Manifest:
    try:
        document = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ModelError(f"{path}: is not a TOML file; {COPY_AGAIN}") from exc
    try:
        read = _Document.model_validate(document)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        raise ModelError(
            f"{path}: is not the manifest of a model ({where}: {error['msg']}); {COPY_AGAIN}"
        ) from exc
    return _Manifest(
        name=read.name,
        version=read.version,
        features=read.features,
        labels=tuple(read.labels),
        thresholds=read.escalation.below,
        default_share=read.escalation.default_share,
        sums=read.sha256,
        curves={Label(level): curve for level, curve in read.alarm.items()},
        document=document,
    )


def _check_manifest(manifest: _Manifest, path: Path, features: str) -> None:
    if known_as(manifest.features) != features:
        raise ModelMismatchError(str(path.parent), trained_on=manifest.features, running=features)
    if manifest.labels not in (LABELS, ANSWERS):
        known = " or ".join(", ".join(labels) for labels in (LABELS, ANSWERS))
        raise ModelError(f"{path}: labels are not {known} in this order; {COPY_AGAIN}")
    if manifest.default_share not in manifest.thresholds:
        raise ModelError(f"{path}: has no threshold for its default share; {COPY_AGAIN}")


def _vectors(content: bytes, path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in _VECTORS}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as exc:
        raise ModelError(f"{path}: is not the vectors of a model; {COPY_AGAIN}") from exc


def _check_golden(
    session: onnxruntime.InferenceSession,
    vectors: dict[str, NDArray[np.generic]],
    folder: Path,
    *,
    labels: tuple[str, ...],
) -> None:
    expected = vectors["golden_probabilities"].astype(np.float64)
    try:
        answers = answer(session, vectors["golden_inputs"].astype(np.float32))
        worst = float(np.max(np.abs(answers - expected)))
    except (*GRAPH_ERRORS, ValueError) as exc:
        raise ModelError(f"{folder}: does not accept its own golden vectors; {COPY_AGAIN}") from exc
    if answers.shape[1] != len(labels):
        raise ModelError(f"{folder}: gives {answers.shape[1]} answers for {len(labels)} labels; {COPY_AGAIN}")
    # Not "worst > tolerance": a NaN must not pass.
    if not worst <= GOLDEN_TOLERANCE:
        raise ModelError(
            f"{folder}: answers its golden vectors {worst:.1e} off, over {GOLDEN_TOLERANCE}; "
            "install the onnxruntime it was trained with, or train it anew"
        )
