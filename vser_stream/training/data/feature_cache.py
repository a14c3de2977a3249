"""Features of every recording, or what else its speech is measured by, computed once.

Kept outside the project: a row of features belongs to a recording that may not be passed on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.locations import cache_folder
from vser_stream.config.schema import SegmentConfig
from vser_stream.core.audio.clip import clip_segment, first_part
from vser_stream.core.features.extract import Extractor
from vser_stream.core.scoring.feature_identity import digest
from vser_stream.errors import AudioError, DataError
from vser_stream.training.data.augment import CLEAN, Augmentation
from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.fingerprint import fingerprint
from vser_stream.training.progress import Progress, silent, tracked
from vser_stream.values import RATE, Block, Segment, Vector

__all__ = ["FeatureCache", "Measure"]

_CHUNK = 24
"""Recordings one process takes at a time: opening the pitch tracker costs as much as one."""

_FIRST_WINDOW = SegmentConfig().first_window
"""Speech the live agent judges first (s)."""


class Measure(Protocol):
    """What the speech of a recording is measured by; goes to other processes."""

    @property
    def name(self) -> str:
        """Of the folder its rows are kept in."""
        ...

    @property
    def digest(self) -> str:
        """Another one where its rows are others."""
        ...

    def opened(self) -> Callable[[Segment], Vector]:
        """Return what measures one utterance after the other, in one process."""
        ...


@dataclass(frozen=True, slots=True)
class _Features:
    digest: str
    name: str = "features"

    def opened(self) -> Callable[[Segment], Vector]:
        tracker = SwiftF0Tracker()
        return lambda segment: Extractor(tracker).extract(segment)


class FeatureCache:
    """Rows of features on disk, keyed by the code, the recording and what was done to it.

    Args:
        folder: Where they are; the folder above it exists. Default:
            :func:`vser_stream.config.locations.cache_folder`.
        processes: Worked on at once.
    """

    def __init__(self, folder: Path | None = None, *, processes: int = 2) -> None:
        # Absolute: worker processes may stand in another folder.
        self._root = (folder or cache_folder()).resolve()
        self._is_named = folder is not None
        self._processes = processes

    @cached_property
    def features(self) -> str:
        """Digest of the features."""
        return digest(SwiftF0Tracker())

    @property
    def folder(self) -> Path:
        """Where all of it is."""
        return self._root

    def beside(self, *makers: Callable[..., Any], name: str) -> Path:
        """Make the folder ``name`` for what some functions and classes make, and all code they depend on.

        Raises:
            DataError: It cannot be made.
        """
        return self._made(name, self.features, fingerprint(*makers))

    def rows(
        self,
        clips: Sequence[Clip],
        augmentations: Sequence[Augmentation] = (),
        *,
        by: Measure | None = None,
        seed: int = 0,
        stage: str = "features",
        progress: Progress = silent,
    ) -> NDArray[np.float32]:
        """Return the features of each clip, computing what is not there yet.

        Args:
            clips: The recordings.
            augmentations: One for each clip; none leaves them clean.
            by: What the same speech is measured by; default: the features.
            seed: Of the noise.
            stage: What the progress is called.
            progress: Told of each chunk.

        Returns:
            Shape (n_clips, n_features).

        Raises:
            AudioError: A recording cannot be read.
        """
        measure = by or _Features(f"{self.features} {fingerprint(_Features)}")
        folder = self._made(measure.name, measure.digest, fingerprint(_chunk))
        todo = [
            (clip.path, augmentation, folder, seed)
            for clip, augmentation in zip(clips, augmentations or [CLEAN] * len(clips), strict=True)
        ]
        chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
        work = joblib.Parallel(n_jobs=self._processes, return_as="generator")
        done = work(joblib.delayed(_chunk)(chunk, measure) for chunk in chunks)
        rows = [row for part in tracked(done, stage, total=len(chunks), progress=progress) for row in part]
        return np.asarray(rows, np.float32)

    def _made(self, name: str, digest: str, code: str) -> Path:
        folder = self._root / name / hashlib.sha256(f"{digest} {code}".encode()).hexdigest()[:16]
        try:
            self._root.mkdir(parents=not self._is_named, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DataError(
                f"{folder}: cannot be made ({exc.strerror}); set XDG_CACHE_HOME or give --cache"
            ) from exc
        return folder


def _chunk(todo: Sequence[tuple[Path, Augmentation, Path, int]], measure: Measure) -> list[Vector]:
    measured: Callable[[Segment], Vector] | None = None
    rows = []
    for path, augmentation, folder, seed in todo:
        key = _key(path, augmentation, seed)
        file = folder / f"{key}.npy"
        if not file.exists():
            measured = measured or measure.opened()
            speech = _speech(path, augmentation, rng=np.random.default_rng(int(key[:15], 16)))
            _save(file, measured(speech))
        rows.append(np.load(file))
    return rows


def _key(path: Path, augmentation: Augmentation, seed: int) -> str:
    what = f"{augmentation!r} {seed}" if augmentation != CLEAN else ""
    return hashlib.sha256(path.read_bytes() + what.encode()).hexdigest()


def _speech(path: Path, augmentation: Augmentation, *, rng: np.random.Generator) -> Segment:
    pcm = np.concatenate([block.pcm for block in Recording(path).blocks(lambda: False)])
    if augmentation != CLEAN:
        pcm = augmentation.apply(pcm, rng)
    try:
        segment = clip_segment([Block(pcm=pcm, start=0, heard_at=0.0)], WebRtcVad())
    except AudioError as exc:
        raise AudioError(f"{path}: {exc}") from exc
    if rng.random() < augmentation.cut:
        whole = (segment.end - segment.onset) / RATE
        segment = first_part(segment, rng.uniform(min(_FIRST_WINDOW, whole), whole))
    return segment


def _save(file: Path, row: Vector) -> None:
    """Two processes, or two trainings, may write the same file at once."""
    scratch = file.with_suffix(f".{os.getpid()}.npy")
    np.save(scratch, row)
    scratch.replace(file)
