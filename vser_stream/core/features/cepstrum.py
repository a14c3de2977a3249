"""Mel-frequency cepstral coefficients of python_speech_features, frame by frame of a stream.

Exactly what its ``mfcc`` returns (a test compares every digit), built from its own parts: ``mfcc``
itself builds the filter bank anew in a Python loop on each call, which costs more than the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from python_speech_features import get_filterbanks, lifter
from python_speech_features.sigproc import powspec
from scipy.fftpack import dct

from vser_stream.core.features.pitch import HOP
from vser_stream.core.features.spectrum import WINDOW, Array
from vser_stream.values import RATE

__all__ = ["MFCCS", "PREEMPHASIS", "cepstrum"]

MFCCS: Final = 13
"""Coefficients of a frame."""

PREEMPHASIS: Final = 0.97
"""Done by the caller, who keeps its state from one piece of the stream to the next."""

_FILTERS: Final = 26
_LIFTER: Final = 22
_LOW, _HIGH = 80, 4000
"""Range of the filter bank (Hz): that of a telephone-band camera."""

_BANK = get_filterbanks(_FILTERS, WINDOW, RATE, _LOW, _HIGH).T
_HAMMING = np.hamming(WINDOW)
_TINY = float(np.finfo(float).eps)


def cepstrum(emphasised: Array) -> Array:
    """Return the coefficients of every whole frame; the first is the log energy, shape (n, 13)."""
    hops = emphasised[: len(emphasised) // HOP * HOP].reshape(-1, HOP)
    frames = np.hstack([hops[:-1], hops[1:]]) * _HAMMING
    power = powspec(frames, WINDOW)
    energy = power.sum(axis=1)
    mel = power @ _BANK
    cepstra = dct(np.log(np.where(mel == 0.0, _TINY, mel)), type=2, axis=1, norm="ortho")[:, :MFCCS]
    coefficients: Array = lifter(cepstra, _LIFTER)
    coefficients[:, 0] = np.log(np.where(energy == 0.0, _TINY, energy))
    return coefficients
