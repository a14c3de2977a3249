"""Log-mel spectrogram of Whisper, for networks that were taught on it.

The 80 bands of OpenAI's Whisper (MIT, https://github.com/openai/whisper, ``whisper/audio.py``) as the
encoder of the second look was trained on them: the waveform at mean 0 and variance 1, 25 ms windows every
10 ms, Slaney's mel scale, and no further than 80 dB below the loudest. Written anew from those papers and
constants; a test holds it against what the encoder's own package computes. Unlike there nothing is padded:
the cost follows the length of the speech, and how loud it is plays no part.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vser_stream.values import RATE, Pcm

__all__ = ["BANDS", "HOP", "log_mel"]

BANDS: Final = 80
"""Of the mel scale, from 0 Hz to half the sampling rate."""

HOP: Final = RATE // 100
"""From one window to the next (samples)."""

_WINDOW: Final = RATE // 40
_HANN: Final = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)

_LEAST_POWER: Final = 1e-10
_LEAST_VARIANCE: Final = 1e-7
_RANGE: Final = 8.0
"""Below the loudest band of all (powers of ten)."""

_BREAK_HZ: Final = 1000.0
_BREAK_MEL: Final = 15.0
_LOG_STEP: Final = np.log(6.4) / 27.0
"""Slaney's mel scale is linear up to 1 kHz, and logarithmic from there."""


def log_mel(pcm: Pcm) -> NDArray[np.float32]:
    """Return the spectrogram of speech, about -1 to 1, shape (80, n // 160).

    Args:
        pcm: At least a window of 25 ms, shape (n,).
    """
    wave = pcm.astype(np.float32) / np.float32(32768)
    wave = (wave - wave.mean()) / np.sqrt(wave.var() + np.float32(_LEAST_VARIANCE))
    around = np.pad(wave, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(around, _WINDOW)[::HOP][: len(pcm) // HOP]
    spectrum = np.fft.rfft(frames * _HANN)
    power = (spectrum.real**2 + spectrum.imag**2) @ _BANK
    log = np.log10(np.maximum(power, np.float32(_LEAST_POWER)))
    log = np.maximum(log, log.max() - np.float32(_RANGE))
    return np.ascontiguousarray(((log + 4) / 4).T, dtype=np.float32)


def _bank() -> NDArray[np.float32]:
    """Triangles of equal area, shape (201, 80)."""
    top = _BREAK_MEL + np.log(RATE / 2 / _BREAK_HZ) / _LOG_STEP
    edges = _hertz(np.linspace(0.0, top, BANDS + 2))
    bins = np.linspace(0.0, RATE / 2, _WINDOW // 2 + 1)[:, np.newaxis]
    widths = np.diff(edges)
    rising, falling = (bins - edges[:-2]) / widths[:-1], (edges[2:] - bins) / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * 2.0 / (edges[2:] - edges[:-2]), np.float32)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * _BREAK_HZ / _BREAK_MEL
    return np.where(mel < _BREAK_MEL, linear, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))


_BANK: Final = _bank()
