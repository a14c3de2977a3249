"""What a room, a microphone and a telephone codec do to speech."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from vser_stream.values import RATE, Pcm

__all__ = ["CLEAN", "CONDITIONS", "Augmentation", "Codec", "draw"]

_Wave = NDArray[np.float64]

_FULL_SCALE = 32768.0

_EQUALISER = 1024
"""Length of the equaliser (samples)."""


class Codec(StrEnum):
    """ITU-T G.711, both laws at 8 kHz."""

    MU_LAW = "mu-law"
    A_LAW = "a-law"


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One way to spoil a recording: microphone, room, noise, level, line, in this order."""

    name: str
    slope_db: float = 0.0
    """Change of tone (dB per octave above 1 kHz)."""

    bands_db: tuple[float, ...] = ()
    """Gains at frequencies spread evenly by octaves from 50 Hz to 8 kHz (dB)."""

    low_cut: float | None = None
    """High-pass of a small microphone (Hz)."""

    rt60: float | None = None
    """Reverberation time of the room (s)."""

    wet: float = 1.0
    """Ratio of the energy of the reverberation to the direct sound (dimensionless)."""

    snr_db: float | None = None
    """Level of the loud half of the recording over the added noise (dB)."""

    tilt: float = 0.5
    """Noise amplitude falls as frequency to this power (dimensionless): 0 white, 0.5 pink, 1 brown."""

    gain_db: float = 0.0
    """Change of level; what exceeds full scale is clipped (dB)."""

    peak_db: float | None = None
    """Level the peak is driven to; above 0 it clips (dB re full scale)."""

    codec: Codec | None = None
    cut: float = 0.0
    """Share of recordings of which only a random first part is kept, as in a window."""

    def apply(self, pcm: Pcm, rng: np.random.Generator) -> Pcm:
        """Return the spoiled recording, as long as ``pcm``."""
        wave = pcm.astype(np.float64) / _FULL_SCALE
        if self.slope_db or self.bands_db:
            wave = _equalise(wave, self.slope_db, self.bands_db)
        if self.low_cut is not None:
            wave = sosfilt(butter(2, self.low_cut, "highpass", fs=RATE, output="sos"), wave)
        if self.rt60 is not None:
            wave = _reverberate(wave, self.rt60, wet=self.wet, rng=rng)
        if self.snr_db is not None:
            wave = wave + _noise(wave, self.snr_db, tilt=self.tilt, rng=rng)
        wave = _clipped(wave * 10 ** (self._gain_db(wave) / 20))
        if self.codec is not None:
            wave = _telephone(wave, self.codec)
        return np.round(_clipped(wave) * _FULL_SCALE).astype(np.int16)

    def _gain_db(self, wave: _Wave) -> float:
        peak = float(np.max(np.abs(wave), initial=0.0))
        if self.peak_db is None or not peak:
            return self.gain_db
        return self.peak_db - 20 * math.log10(peak)


CLEAN = Augmentation("clean")

CONDITIONS = (
    CLEAN,
    Augmentation("noise 20 dB", snr_db=20.0),
    Augmentation("noise 10 dB", snr_db=10.0),
    Augmentation("noise 5 dB", snr_db=5.0),
    Augmentation("G.711 mu-law", codec=Codec.MU_LAW),
    Augmentation("G.711 A-law", codec=Codec.A_LAW),
    Augmentation("room 0.5 s", rt60=0.5),
    Augmentation("gain +20 dB", gain_db=20.0),
    Augmentation("gain -20 dB", gain_db=-20.0),
    Augmentation("clipped by 12 dB", peak_db=12.0),
)
"""The conditions a model is tried under."""


def draw(name: str, rng: np.random.Generator) -> Augmentation:
    """Return a random microphone, room and line, each at an everyday strength.

    The ranges bracket a headset in a quiet room and a camera across a living room; four in ten
    pass through a telephone codec, as many IP cameras have no other.
    """
    cut, room, noisy, clipped, telephone = rng.random(5) < (0.6, 0.6, 0.7, 0.1, 0.4)
    return Augmentation(
        name,
        slope_db=float(rng.uniform(-4.0, 4.0)),
        bands_db=tuple(rng.normal(0.0, 2.0, 9).tolist()),
        low_cut=float(rng.uniform(80.0, 300.0)) if cut else None,
        rt60=float(rng.uniform(0.2, 0.6)) if room else None,
        wet=float(rng.uniform(0.2, 1.2)),
        snr_db=float(rng.uniform(8.0, 30.0)) if noisy else None,
        tilt=float(rng.uniform(0.0, 1.0)),
        gain_db=float(rng.uniform(-15.0, 0.0)),
        peak_db=float(rng.uniform(0.0, 9.0)) if clipped else None,
        codec=list(Codec)[int(rng.integers(2))] if telephone else None,
        cut=0.5,
    )


def _clipped(wave: _Wave) -> _Wave:
    return np.clip(wave, -1.0, 1.0 - 1 / _FULL_SCALE)


def _equalise(wave: _Wave, slope_db: float, bands_db: tuple[float, ...]) -> _Wave:
    """Filter by a symmetric response of 64 ms, which delays nothing."""
    frequency = np.maximum(np.fft.rfftfreq(_EQUALISER, 1 / RATE), 50.0)
    gain = slope_db * np.log2(frequency / 1000.0)
    if bands_db:
        centres = np.geomspace(50.0, RATE / 2, len(bands_db))
        gain = gain + np.interp(np.log(frequency), np.log(centres), bands_db)
    response = np.roll(np.fft.irfft(10 ** (gain / 20)), _EQUALISER // 2) * np.hanning(_EQUALISER)
    filtered = fftconvolve(wave, response)
    return np.asarray(filtered[_EQUALISER // 2 :][: len(wave)], np.float64)


def _noise(wave: _Wave, snr_db: float, *, tilt: float, rng: np.random.Generator) -> _Wave:
    spectrum = np.fft.rfft(rng.standard_normal(len(wave)))
    # Brown noise has no end downwards; 20 bins keep it audible.
    spectrum /= (20.0 + np.arange(len(spectrum))) ** tilt
    noise = np.fft.irfft(spectrum, len(wave))
    # Half of a recording is pauses, at most.
    loud = float(np.mean(np.sort(wave**2)[len(wave) // 2 :]))
    ratio = loud / max(float(np.mean(noise**2)), 1e-20)
    return np.asarray(noise * (ratio**0.5 * 10 ** (-snr_db / 20)), np.float64)


def _reverberate(wave: _Wave, rt60: float, *, wet: float, rng: np.random.Generator) -> _Wave:
    """Direct sound and an exponentially decaying tail of noise."""
    tail = rng.standard_normal(round(rt60 * RATE))
    tail *= 10 ** (-3.0 * np.arange(len(tail)) / len(tail))
    response = np.concatenate([[1.0], tail * np.sqrt(wet / np.sum(tail**2))])
    return np.asarray(fftconvolve(wave, response)[: len(wave)], np.float64)


def _telephone(wave: _Wave, codec: Codec) -> _Wave:
    narrow = np.clip(resample_poly(wave, 1, 2), -1.0, 1.0)
    coded = _mu_law(narrow) if codec is Codec.MU_LAW else _a_law(narrow)
    return np.asarray(resample_poly(coded, 2, 1)[: len(wave)], np.float64)


def _mu_law(wave: _Wave, mu: float = 255.0) -> _Wave:
    """Compress, quantise to 8 bits, expand (G.711's curve without its segments)."""
    code = np.round(np.sign(wave) * np.log1p(mu * np.abs(wave)) / np.log1p(mu) * 127) / 127
    return np.asarray(np.sign(code) * np.expm1(np.abs(code) * np.log1p(mu)) / mu, np.float64)


def _a_law(wave: _Wave, a: float = 87.6) -> _Wave:
    """As :func:`_mu_law`, with the curve used outside North America and Japan."""
    scale = 1 + np.log(a)
    size = np.abs(wave)
    curve = np.where(size < 1 / a, a * size, 1 + np.log(np.maximum(a * size, 1.0))) / scale
    code = np.sign(wave) * np.round(curve * 127) / 127
    back = np.abs(code) * scale
    return np.asarray(np.sign(code) * np.where(back < 1, back, np.exp(back - 1)) / a, np.float64)
