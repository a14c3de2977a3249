"""The second look of a model folder: one ONNX file, from a spectrogram of the speech to probabilities.

Inside are the first two blocks of a pretrained encoder, the mean and the standard deviation of its frames
over the speech, and small networks that weigh them with the model inputs; see
:mod:`vser_stream.training.classifier.second_look_graph`. A graph cannot be hurried: where an alarm cannot wait for it, the
look is broken off between two of its operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vser_stream.adapters.models.onnx_graph import COPY_AGAIN, GRAPH_ERRORS, open_graph, verified
from vser_stream.core.features.log_mel import log_mel
from vser_stream.core.scoring.second_look import Fusion, Look
from vser_stream.errors import ModelError
from vser_stream.values import ANSWERS, RATE, Pcm, Probabilities

__all__ = [
    "FILE",
    "NOTICE",
    "SECTION",
    "OnnxSecondLook",
    "answers",
    "golden_rows",
    "golden_sound",
    "look_of",
    "statistics",
]

FILE: Final = "second_look.onnx"
"""In a model folder; a model may do without."""

NOTICE: Final = "NOTICE"
"""Beside it: where its encoder comes from, and the licences that want to be told."""

SECTION: Final = "second_look"
"""In the manifest: what is needed to trust it."""

_SHORTEST: Final = round(0.4 * RATE)
"""The encoder has never heard less; silence is added (samples)."""

_LONGEST: Final = 8 * RATE
"""It knows no later positions than those of 8 s; the latest are taken (samples)."""

_GOLDEN_TOLERANCE: Final = 0.02
"""Largest difference of a probability between processors: a sum in another order may round an 8-bit
number to its neighbour."""


class OnnxSecondLook:
    """Implements :class:`vser_stream.ports.SecondLook`.

    Args:
        session: Of :data:`FILE`.
        within: Longest that a caller waits for an answer (s); None for as long as it takes, so that the
            answer depends on the speech alone.
    """

    def __init__(self, session: onnxruntime.InferenceSession, *, within: float | None = None) -> None:
        self._session, self._within = session, within
        self._worker = ThreadPoolExecutor(1, "second-look") if within is not None else None
        self.answered = self.late = 0

    def look(self, pcm: Pcm, rows: NDArray[np.float32]) -> Probabilities | None:
        """Judge speech, shape (n,), with its model inputs, shape (k, n_inputs); None if it comes too late."""
        found = self._answers(pcm, rows)
        if found is None:
            self.late += 1
            return None
        self.answered += 1
        return Probabilities.folded(found.tolist())

    def _answers(self, pcm: Pcm, rows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if self._worker is None:
            return answers(self._session, pcm, rows)
        options = onnxruntime.RunOptions()
        looking = self._worker.submit(_run, self._session, "probabilities", _given(pcm, rows), options)
        try:
            return looking.result(self._within)
        except TimeoutError:
            options.terminate = True
            looking.cancel()
            return None


def answers(
    session: onnxruntime.InferenceSession, pcm: Pcm, rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Belief in each answer to speech, shape (5,).

    Args:
        session: Of a second look.
        pcm: The speech alone, shape (n,).
        rows: Its model inputs, shape (k, n_inputs): from each place that calm is measured from.
    """
    return _run(session, "probabilities", _given(pcm, rows))


def statistics(session: onnxruntime.InferenceSession, pcm: Pcm) -> NDArray[np.float32]:
    """Mean, then standard deviation, of what the encoder makes of speech, shape (768,).

    Args:
        session: Of an encoder.
        pcm: The speech alone, shape (n,).
    """
    return _run(session, "statistics", _given(pcm))


def _given(pcm: Pcm, rows: NDArray[np.float32] | None = None) -> dict[str, NDArray[np.float32]]:
    latest = pcm[-_LONGEST:]
    padded = np.pad(latest, (0, max(0, _SHORTEST - len(latest))))
    return {"log_mel": log_mel(padded)[np.newaxis]} | ({} if rows is None else {"X": rows})


def _run(
    session: onnxruntime.InferenceSession,
    output: str,
    given: dict[str, NDArray[np.float32]],
    options: onnxruntime.RunOptions | None = None,
) -> NDArray[np.float32]:
    (found,) = session.run([output], given, options)
    return np.asarray(found[0], np.float32)


_Number = Annotated[float, Field(allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Power = Annotated[float, Field(ge=0.0, le=10.0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True)

    unless_calm: _Share
    first: _Power
    look: _Power
    bias: Annotated[tuple[_Number, ...], Field(min_length=len(ANSWERS), max_length=len(ANSWERS))]
    golden: Annotated[tuple[_Share, ...], Field(min_length=len(ANSWERS), max_length=len(ANSWERS))]


def look_of(
    folder: Path, *, sums: Mapping[str, str], document: Mapping[str, Any], within: float | None = None
) -> Look | None:
    """Load and verify the second look of a model; None where it has none.

    Args:
        folder: Of the model.
        sums: The sha256 of each of its files.
        document: Its manifest.
        within: Longest that a caller waits (s); None for as long as it takes.

    Raises:
        ModelError: A file is missing or damaged, or does not answer as it did when it was trained.
    """
    if FILE not in sums:
        return None
    path = folder / FILE
    section = _section(document, folder)
    verified(folder / NOTICE, sums.get(NOTICE))
    session = open_graph(verified(path, sums[FILE]), name=str(path))
    _check_golden(session, section.golden, path)
    fusion = Fusion(first=section.first, look=section.look, bias=section.bias)
    return Look(OnnxSecondLook(session, within=within), fusion, unless_calm=section.unless_calm)


def _section(document: Mapping[str, Any], folder: Path) -> _Section:
    try:
        return _Section.model_validate(document.get(SECTION))
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join([SECTION, *(str(part) for part in error["loc"])])
        raise ModelError(f"{folder}: its manifest has no {where} ({error['msg']}); {COPY_AGAIN}") from exc


def _check_golden(session: onnxruntime.InferenceSession, golden: tuple[float, ...], path: Path) -> None:
    try:
        found = answers(session, golden_sound(), golden_rows(session))
        worst = float(np.max(np.abs(found - np.asarray(golden))))
    except (*GRAPH_ERRORS, ValueError, StopIteration) as exc:
        raise ModelError(f"{path}: does not accept audio; {COPY_AGAIN}") from exc
    # Not "worst > tolerance": a NaN must not pass.
    if not worst <= _GOLDEN_TOLERANCE:
        raise ModelError(
            f"{path}: answers {worst:.1e} off its golden answer, more than {_GOLDEN_TOLERANCE}; "
            "install the onnxruntime it was trained with, or set enabled = false in [second_look]"
        )


def golden_rows(session: onnxruntime.InferenceSession) -> NDArray[np.float32]:
    """The model inputs that go with the known sound: nothing stands out, shape (1, n_inputs)."""
    width = next(one.shape[1] for one in session.get_inputs() if one.name == "X")
    return np.zeros((1, width), np.float32)


def golden_sound() -> Pcm:
    """Two seconds that sound a little like a voice, the same on every processor: whole numbers alone."""
    n = np.arange(2 * RATE)
    phase = np.cumsum(500 + 150 * (n // 4000 % 3) + n // 200)
    syllable = 4000 - np.abs(n % 8000 - 4000)
    return np.asarray((phase % 65536 - 32768) * syllable // 8000, np.int16)
