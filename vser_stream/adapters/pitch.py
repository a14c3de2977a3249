"""Fundamental frequency by SwiftF0 (MIT; its ONNX model comes inside the wheel)."""

from __future__ import annotations

import numpy as np
from swift_f0 import SwiftF0

from vser_stream.core.features.pitch import HOP
from vser_stream.values import PitchTrack, Samples

__all__ = ["SwiftF0Tracker"]

_FMIN, _FMAX = 46.875, 2093.75
"""Range of the model (Hz): its own defaults."""

_SILENCE_PEAK = 1e-3
"""Below it the model's answer is arbitrary: its spectrogram lies on its logarithmic floor in every bin.

The limit of swift_f0 itself. It is a limit on what the caller hands over: core.features.pitch
brings speech up to an even level first, so a quiet microphone is not silence.
"""


class SwiftF0Tracker:
    """Runs the network directly: the package's wrapper spends half its time on loudness and copies."""

    def __init__(self) -> None:
        self._session = SwiftF0(threads=1, spin=False).session
        self._range = {"fmin": np.asarray(_FMIN, np.float32), "fmax": np.asarray(_FMAX, np.float32)}

    def track(self, samples: Samples) -> PitchTrack:
        """Return one estimate for each whole hop of 256 samples, centred on the start of the hop."""
        hops = len(samples) // HOP
        if not hops:
            return PitchTrack(f0=np.empty(0), voicing=np.empty(0))
        whole = np.ascontiguousarray(samples[: hops * HOP], dtype=np.float32)
        f0, voicing = self._session.run(["pitch", "confidence"], {"audio": whole[np.newaxis], **self._range})
        silent = np.abs(whole).reshape(hops, HOP).max(axis=1) < _SILENCE_PEAK
        return PitchTrack(
            f0=np.asarray(f0[0], np.float64), voicing=np.where(silent, 0.0, voicing[0].astype(np.float64))
        )
