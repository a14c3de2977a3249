"""What the pitch network sees of a hop: its spectrum on a logarithmic axis of frequency, three times over.

A musical interval is the same distance everywhere on that axis, so harmonics keep their pattern
whatever the pitch. Three windows, of 32, 64 and 128 ms, see what is short and what is close together.
It is the front end that SwiftF0 was trained with; its own is a graph of matrix products that takes three
times as long.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vser_stream.values import RATE, Samples, Spectra

__all__ = ["BANDS", "CONTEXT", "HOP", "WINDOWS", "Spectrogram"]

HOP: Final = 256
"""Distance of two spectra, 16 ms (samples)."""

WINDOWS: Final = (1024, 2048, 512)
"""Length of each spectrum, in the order of the network (samples)."""

_REACH = max(WINDOWS) // 2
"""How far a hop is seen from its centre to either side (samples)."""

BANDS: Final = 128
"""Filters of a spectrum: 17 to the octave."""

CONTEXT: Final = 7
"""Hops before the first that gets an estimate: so far back reach the convolutions of the network."""

_LOWEST, _TOP, _PITCHES = 46.875, 2093.75, 95
"""The first filters stand at the pitches that can be found, evenly in their logarithm (Hz)."""

_FLOOR = np.float32(1e-8)
"""Added to an amplitude before its logarithm."""

_TOGETHER = 32
"""Filters in one product: the low ones need few bins, and most of the rest of a product would be zeros."""


def _filters(window: int) -> NDArray[np.float64]:
    """Triangles from neighbour to neighbour; where no bin lies in one, the nearest, shape (BANDS, bins)."""
    step = np.log(_TOP / _LOWEST) / (_PITCHES - 1)
    centre = _LOWEST * np.exp(step * np.arange(-1, BANDS + 1))[:, np.newaxis]
    frequency = np.arange(window // 2 + 1) * RATE / window
    below, middle, above = centre[:-2], centre[1:-1], centre[2:]
    rising, falling = (frequency - below) / (middle - below), (above - frequency) / (above - middle)
    weights = np.maximum(np.minimum(rising, falling), 0.0)
    nearest = np.argmin(np.abs(frequency - middle), axis=1)
    empty = np.flatnonzero(weights.sum(axis=1) == 0.0)
    weights[empty, nearest[empty]] = 1.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)


def _products(window: int) -> list[tuple[slice, slice, Samples]]:
    """Which filters, of which bins, with which weights."""
    every = _filters(window)
    found = []
    for first in range(0, BANDS, _TOGETHER):
        filters = slice(first, first + _TOGETHER)
        bins = np.flatnonzero(every[filters].any(axis=0))
        needed = slice(int(bins[0]), int(bins[-1]) + 1)
        found.append((filters, needed, np.ascontiguousarray(every[filters, needed], np.float32)))
    return found


_TAPERS = [np.hanning(window + 1)[:-1].astype(np.float32) for window in WINDOWS]
_PRODUCTS = [_products(window) for window in WINDOWS]


class Spectrogram:
    """Spectra of a stream, each computed once; those near its end anew as more is heard."""

    def __init__(self) -> None:
        self._audio: Samples = np.zeros(_REACH, np.float32)
        self._settled: Spectra = np.zeros((len(WINDOWS), BANDS, CONTEXT), np.float32)

    def feed(self, hops: Samples) -> Spectra:
        """Take whole hops; return the spectra from :data:`CONTEXT` before the oldest that is remembered.

        The last four know only what has been heard of their window.
        """
        self._audio = np.concatenate([self._audio, hops])
        unheard = np.zeros(_REACH - HOP, np.float32)
        latest = _log_spectra(np.concatenate([self._audio, unheard]))
        settled = max((len(self._audio) - 2 * _REACH) // HOP + 1, 0)
        self._audio = self._audio[settled * HOP :]
        self._settled = np.concatenate([self._settled, latest[..., :settled]], axis=2)
        return np.concatenate([self._settled, latest[..., settled:]], axis=2)

    def forget(self, hops: int) -> None:
        """Let go of the oldest."""
        self._settled = self._settled[..., hops:]


def _log_spectra(samples: Samples) -> Spectra:
    """Spectra around every hop that has half of the longest window before it and after it."""
    around = sliding_window_view(samples, 2 * _REACH)[::HOP]
    amplitudes = np.empty((len(WINDOWS), BANDS, len(around)), np.float32)
    for amplitude, window, taper, products in zip(amplitudes, WINDOWS, _TAPERS, _PRODUCTS, strict=True):
        inner = around[:, _REACH - window // 2 : _REACH + window // 2]
        bins = np.abs(scipy.fft.rfft(inner * taper)).T
        for filters, needed, weights in products:
            np.matmul(weights, bins[needed], out=amplitude[filters])
    return np.asarray(np.log(amplitudes + _FLOOR), np.float32)
