"""Short-time spectrum of 32 ms frames, and what is read off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from vser_stream.core.features.pitch import HOP
from vser_stream.values import RATE

__all__ = ["BALANCE", "PERIODICITY", "WINDOW", "Array", "Spectrum", "analyse", "periodicity"]

Array = NDArray[np.float64]
Bins = NDArray[np.float32]
"""Half the width: half the time, and rounding stays 130 dB below the strongest bin."""

WINDOW: Final = 2 * HOP
"""Length of a frame, 32 ms (samples)."""

_FFT = 2 * WINDOW
"""Padded to twice its length: the inverse of its power is then the autocorrelation (samples)."""

_TOP = 4000.0
"""Nothing above is looked at: a telephone-band camera must sound like any other (Hz)."""

_QUIET = 1e-14
"""Power of a silent bin, a tenth of what the steps of 16 bits leave in it (re full scale).

Any higher, and a quiet microphone would look like a flat spectrum.
"""

_EDGES = (80.0, 250.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)
"""Limits of the bands (Hz)."""

BALANCE: Final = (
    *(f"band_{int(low)}" for low in _EDGES[:-1]),
    "alpha_ratio",
    "hammarberg",
    "slope_low",
    "slope_high",
    "centroid",
    "flatness",
    "flux",
)
"""Spectral balance of a frame.

Bands: share of the power (dB). Alpha ratio: 80 to 1000 Hz over 1 to 4 kHz (dB). Hammarberg:
strongest peak below 2 kHz over the strongest from 2 to 4 kHz (dB). Slopes: 80 to 500 Hz and 500
to 1500 Hz (dB/kHz). Centroid (kHz). Flatness: geometric over arithmetic mean (dB). Flux: distance
of the normalised amplitudes from those of the frame before. After eGeMAPS (Eyben et al. 2016),
limited to 4 kHz.
"""

PERIODICITY: Final = ("hnr", "h1_h2", "h1_a3")
"""Voice quality of a frame, at its pitch.

Harmonics over noise (dB); first harmonic over the second, and over the strongest from 2 to
3.5 kHz (dB).
"""

_FREQUENCY = np.arange(int(_TOP * _FFT / RATE) + 1) * RATE / _FFT
_HANN = np.hanning(WINDOW + 1)[:-1]
_HANN32 = _HANN.astype(np.float32)
_SCALE = 2.0 / (_FFT * float(np.sum(_HANN**2)))
_LONGEST_LAG = WINDOW // 2
_HANN_CORRELATION = scipy.fft.irfft(np.abs(scipy.fft.rfft(_HANN, _FFT)) ** 2)[: _LONGEST_LAG + 2]
_UNDO_HANN = (_HANN_CORRELATION[0] / _HANN_CORRELATION).astype(np.float32)
"""A periodic signal has correlation 1 at its period after it (Boersma 1993)."""


def _between(low: float, high: float) -> slice:
    first, last = np.searchsorted(_FREQUENCY, (low, high))
    return slice(int(first), int(last))


def _slope_weights(low: float, high: float) -> Array:
    """Weights that turn a spectrum in dB into its regression slope (dB/kHz)."""
    weights = np.zeros(len(_FREQUENCY))
    kilohertz = _FREQUENCY[_between(low, high)] / 1000.0
    centred = kilohertz - kilohertz.mean()
    weights[_between(low, high)] = centred / np.sum(centred**2)
    return weights


_SPEECH = _between(80.0, _TOP)
_BAND_STARTS = np.searchsorted(_FREQUENCY, _EDGES[:-1])
_SLOPES = np.stack([_slope_weights(80.0, 500.0), _slope_weights(500.0, 1500.0)], axis=1)
_SLOPES32 = _SLOPES.astype(np.float32)
_KILOHERTZ = (_FREQUENCY[_SPEECH] / 1000.0).astype(np.float32)
_THIRD = _between(2000.0, 3500.0)
_LOW_BINS = 81
_LOW_BANDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Consecutive frames; only what the pitch, not yet final, must still be looked up in is kept."""

    level: Array
    """Level from 80 Hz to 4 kHz (dB re full scale), shape (n,)."""

    balance: Array
    """Columns :data:`BALANCE`, shape (n, 14)."""

    low: Bins
    """Power of the bins up to 1.25 kHz (dB re full scale), shape (n, 81)."""

    third: Bins
    """Strongest bin from 2 to 3.5 kHz (dB re full scale), shape (n,)."""

    correlation: Bins
    """Autocorrelation over that at lag 0, corrected for the window, shape (n, 258)."""

    last: Bins
    """Normalised amplitude of the bins of the last frame, shape (257,), or (0,) before any frame."""

    @classmethod
    def empty(cls) -> Spectrum:
        """No frames yet."""
        return cls(
            level=np.empty(0),
            balance=np.empty((0, len(BALANCE))),
            low=np.empty((0, _LOW_BINS), np.float32),
            third=np.empty(0, np.float32),
            correlation=np.empty((0, _LONGEST_LAG + 2), np.float32),
            last=np.empty(0, np.float32),
        )

    def followed_by(self, later: Spectrum) -> Spectrum:
        """Frames of both."""
        return Spectrum(
            level=np.concatenate([self.level, later.level]),
            balance=np.concatenate([self.balance, later.balance]),
            low=np.concatenate([self.low, later.low]),
            third=np.concatenate([self.third, later.third]),
            correlation=np.concatenate([self.correlation, later.correlation]),
            last=later.last,
        )

    def within(self, frames: slice) -> Spectrum:
        """Some of the frames."""
        return Spectrum(
            level=self.level[frames],
            balance=self.balance[frames],
            low=self.low[frames],
            third=self.third[frames],
            correlation=self.correlation[frames],
            last=self.last,
        )


def analyse(samples: Array, before: Spectrum) -> Spectrum:
    """Analyse every whole frame of ``samples``, one each :data:`HOP`.

    Args:
        samples: Audio after the high-pass filter, at least one frame, shape (n,).
        before: The frames just before, if there are any.
    """
    hops = samples[: len(samples) // HOP * HOP].astype(np.float32).reshape(-1, HOP)
    frames = np.hstack([hops[:-1], hops[1:]]) * _HANN32
    transform = scipy.fft.rfft(frames, _FFT)
    full = (transform.real**2 + transform.imag**2) * np.float32(_SCALE)
    correlation = scipy.fft.irfft(full)[:, : _LONGEST_LAG + 2]
    correlation = correlation / (correlation[:, :1] + np.float32(_QUIET / _FFT)) * _UNDO_HANN
    power = full[:, : len(_FREQUENCY)]
    db = 10.0 * np.log10(power + _QUIET)
    total = power[:, _SPEECH].sum(axis=1) + _QUIET
    amplitude = np.sqrt(power / total[:, np.newaxis])
    last = before.last if len(before.last) else amplitude[0]
    flux = np.linalg.norm(np.diff(amplitude, axis=0, prepend=last[np.newaxis]), axis=1)
    return Spectrum(
        level=10.0 * np.log10(total.astype(np.float64)),
        balance=_balance(power, db, total=total, flux=flux),
        low=db[:, :_LOW_BINS],
        third=db[:, _THIRD].max(axis=1),
        correlation=correlation,
        last=amplitude[-1],
    )


def _balance(power: Bins, db: Bins, *, total: Bins, flux: Bins) -> Array:
    bands = np.add.reduceat(power, _BAND_STARTS, axis=1) + _QUIET
    low, high = bands[:, :_LOW_BANDS].sum(axis=1), bands[:, _LOW_BANDS:].sum(axis=1)
    peaks = np.maximum.reduceat(db, np.searchsorted(_FREQUENCY, (80.0, 2000.0)), axis=1)
    slopes = db @ _SLOPES32
    speech = power[:, _SPEECH]
    columns = [
        10.0 * np.log10(bands / total[:, np.newaxis]),
        10.0 * np.log10(low / high),
        peaks[:, 0] - peaks[:, 1],
        slopes,
        speech @ _KILOHERTZ / total,
        db[:, _SPEECH].mean(axis=1) - 10.0 * np.log10(speech.mean(axis=1) + _QUIET),
        flux,
    ]
    return np.column_stack(columns).astype(np.float64)


def periodicity(spectrum: Spectrum, f0: Array) -> Array:
    """Voice quality at the pitch of each frame; columns :data:`PERIODICITY`, shape (n, 3).

    Args:
        spectrum: Frames, n of them.
        f0: Pitch, also where unvoiced (Hz), shape (n,).
    """
    rows = np.arange(len(f0))[:, np.newaxis]
    lag = np.clip(np.rint(RATE / f0).astype(int), 2, _LONGEST_LAG)[:, np.newaxis]
    peak = spectrum.correlation[rows, lag + np.arange(-1, 2)].max(axis=1)
    peak = np.clip(peak, 0.01, 0.99)
    first, second = (_harmonic(spectrum.low, f0 * order) for order in (1, 2))
    columns = [10.0 * np.log10(peak / (1.0 - peak)), first - second, first - spectrum.third]
    return np.column_stack(columns).astype(np.float64)


def _harmonic(db: Bins, frequency: Array) -> Bins:
    """Level of the strongest of the three bins around a frequency (dB)."""
    bins = np.clip(np.rint(frequency * _FFT / RATE).astype(int), 1, db.shape[1] - 2)
    nearest: Bins = db[np.arange(len(db))[:, np.newaxis], bins[:, np.newaxis] + np.arange(-1, 2)].max(axis=1)
    return nearest
