"""Sounds of a home that are nobody speaking to anybody: made from numbers, or real ones drawn out.

Each is a float wave at 16 kHz whose loud half has a root mean square of one: its maker says how
loud it is in the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from vser_stream.values import RATE

__all__ = ["NOISES", "Wave", "even", "lasting", "loudness", "loudspeaker", "noise", "programme"]

Wave = NDArray[np.float32]
"""Audio of any level, shape (n,)."""

_TINY = 1e-9
_FRAME = RATE // 100

_FFT = 8192
"""A transform whose length is a multiple of it is quick (samples)."""

_LOWEST, _HIGHEST = (150.0, 450.0), (3000.0, 7000.0)
"""Where the band of a small loudspeaker begins and ends: a telephone on a table, a kitchen radio, a
television (Hz)."""

_SEAM = RATE // 20
"""Over which a sound that is played again fades into itself (samples)."""

_SCALE = (220.0, 246.9, 261.6, 293.7, 329.6, 392.0, 440.0, 493.9, 523.3, 587.3)
"""A minor, two octaves around middle C (Hz)."""


def loudness(wave: Wave) -> float:
    """Root mean square of the louder half of its frames of 10 ms: pauses do not count."""
    if len(wave) < 2 * _FRAME:
        return float(np.sqrt(np.mean(np.square(wave), dtype=np.float64))) if len(wave) else 0.0
    frames = wave[: len(wave) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.einsum("ij,ij->i", frames, frames) / _FRAME
    half = len(power) // 2
    return float(np.sqrt(np.mean(np.partition(power, half)[half:], dtype=np.float64)))


def even(wave: Wave) -> Wave:
    """The same with the loudness one."""
    return np.asarray(wave / max(loudness(wave), _TINY), np.float32)


def noise(
    n: int, rng: np.random.Generator, *, tilt: float, band: tuple[float, float] = (20.0, 8000.0)
) -> Wave:
    """Noise whose amplitude falls as frequency to the power of ``tilt``: 0 white, 0.5 pink, 1 brown."""
    white = rng.standard_normal(_fast(n), np.float32)
    return even(_filtered(white, lambda f: f**-tilt * ((f >= band[0]) & (f <= band[1])))[:n])


def programme(turns: Iterator[Wave], n: int, rng: np.random.Generator, *, music: Wave) -> Wave:
    """People who speak one after the other over music, as a studio sends it.

    Args:
        turns: Of speech, each played once; it may end.
        n: Length of the programme (samples).
        rng: Of the pauses and the loudness of the music.
        music: Played again and again.
    """
    sent = lasting(music, n, rng) * np.float32(10 ** (rng.uniform(-40.0, -8.0) / 20))
    at = 0
    for turn in turns:
        if at >= n:
            break
        part = even(turn)[: n - at]
        sent[at : at + len(part)] += part
        at += len(part) + round(rng.uniform(0.1, 1.0) * RATE)
    return even(sent)


def loudspeaker(wave: Wave, rng: np.random.Generator) -> Wave:
    """The same through a small loudspeaker: a narrow band, and peaks that bend."""
    band = [rng.uniform(*_LOWEST), rng.uniform(*_HIGHEST)]
    heard = even(sosfilt(butter(2, band, "bandpass", fs=RATE, output="sos"), wave).astype(np.float32))
    drive = np.float32(rng.uniform(0.05, 0.5))
    return even(np.tanh(drive * heard))


def lasting(wave: Wave, n: int, rng: np.random.Generator) -> Wave:
    """A sound from anywhere in it, played again until ``n`` samples are full, without a click."""
    if len(wave) >= n:
        start = int(rng.integers(len(wave) - n + 1))
        return even(wave[start : start + n])
    if len(wave) <= 2 * _SEAM:
        return even(np.resize(wave, n))
    fade = np.linspace(0.0, 1.0, _SEAM, dtype=np.float32)
    loop = wave[: len(wave) - _SEAM].copy()
    loop[:_SEAM] = loop[:_SEAM] * fade + wave[-_SEAM:] * fade[::-1]
    return even(np.resize(np.roll(loop, -int(rng.integers(len(loop)))), n))


def _fan(n: int, rng: np.random.Generator) -> Wave:
    """Mains hum, blades and moving air."""
    blades = rng.uniform(90.0, 180.0)
    hum = _partials(np.full(n, 50.0), (1.0, 0.6, 0.3, 0.2)) + _partials(np.full(n, blades), (0.5, 0.25))
    return even(even(hum) + noise(n, rng, tilt=1.0))


def _water(n: int, rng: np.random.Generator) -> Wave:
    """A running tap: hiss that swells, and bubbles."""
    wave = noise(n, rng, tilt=0.2, band=(400.0, 8000.0))
    wave *= 1.0 + 0.4 * _wander(n, rng, every=0.4)
    for start in _times(n, rng, per_second=12.0):
        _add(wave, _ping(rng.uniform(400.0, 2000.0), rng.uniform(0.01, 0.05)), start, rng.uniform(0.3, 1.2))
    return even(wave)


def _dishes(n: int, rng: np.random.Generator) -> Wave:
    """Plates and cutlery: strokes of partials that are no harmonics."""
    wave = np.zeros(n, np.float32)
    for start in _times(n, rng, per_second=2.5):
        for frequency in rng.uniform(1200.0, 7500.0, 5):
            _add(wave, _ping(frequency, rng.uniform(0.02, 0.25)), start, rng.uniform(0.1, 1.0))
    return even(wave)


def _door(n: int, rng: np.random.Generator) -> Wave:
    """Two thuds of a closing door, a lock, and whatever time is left."""
    wave = np.zeros(n, np.float32)
    for start in np.sort(rng.integers(0, max(n - RATE // 2, 1), 2)):
        _add(wave, _ping(rng.uniform(55.0, 130.0), 0.15), start, 1.0)
        _add(wave, noise(RATE // 20, rng, tilt=0.5), start, 0.15)
        _add(wave, _ping(rng.uniform(1500.0, 3000.0), 0.02), start + RATE // 12, 0.3)
    return even(wave)


def _vacuum(n: int, rng: np.random.Generator) -> Wave:
    """A motor that labours, and rushing air."""
    motor = rng.uniform(180.0, 420.0) * (1.0 + 0.03 * _wander(n, rng, every=1.0))
    return even(even(_partials(motor, (1.0, 0.7, 0.5, 0.4, 0.2))) + 1.5 * noise(n, rng, tilt=0.3))


def _music(n: int, rng: np.random.Generator) -> Wave:
    """A plucked tune over chords."""
    wave, beat = np.zeros(n, np.float32), round(rng.uniform(0.25, 0.6) * RATE)
    for index, start in enumerate(range(0, n, beat)):
        for frequency in rng.choice(_SCALE, 3 if index % 4 == 0 else 1, replace=False):
            tone = _partials(np.full(2 * beat, frequency), (1.0, 0.5, 0.3, 0.2, 0.1))
            tone *= np.exp(-3.0 * np.arange(2 * beat, dtype=np.float32) / beat)
            _add(wave, tone, start, rng.uniform(0.5, 1.0))
    return even(wave)


NOISES: Final[dict[str, tuple[Callable[[int, np.random.Generator], Wave], tuple[float, float]]]] = {
    "fan": (_fan, (30.0, 180.0)),
    "water": (_water, (5.0, 40.0)),
    "dishes": (_dishes, (5.0, 30.0)),
    "door": (_door, (1.0, 3.0)),
    "vacuum": (_vacuum, (20.0, 90.0)),
    "music": (_music, (20.0, 120.0)),
}
"""Makers of noises, and how long each lasts (s)."""


def _fast(n: int) -> int:
    """The next length that has a quick Fourier transform."""
    return -(-n // _FFT) * _FFT


def _filtered(wave: Wave, response: Callable[[Wave], NDArray[Any]]) -> Wave:
    """Filter by a response that is told the frequencies (Hz), 1 Hz at least."""
    spectrum = np.fft.rfft(wave)
    spectrum *= response(np.maximum(np.fft.rfftfreq(len(wave), 1 / RATE).astype(np.float32), 1.0))
    return np.asarray(np.fft.irfft(spectrum, len(wave)), np.float32)


def _partials(frequency: NDArray[np.float64], levels: Sequence[float]) -> Wave:
    """A tone and its harmonics, at a frequency for each sample (Hz)."""
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    return np.asarray(sum(level * np.sin(k * phase) for k, level in enumerate(levels, start=1)), np.float32)


def _ping(frequency: float, decay: float) -> Wave:
    """A struck body that loses two thirds of its amplitude in ``decay`` seconds."""
    time = np.arange(round(5 * decay * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * frequency * time) * np.exp(-time / decay), np.float32)


def _wander(n: int, rng: np.random.Generator, *, every: float) -> NDArray[np.float64]:
    """A line from -1 to 1 through a random point each ``every`` seconds, shape (n,)."""
    knots = np.arange(0, n + every * RATE, every * RATE)
    return np.interp(np.arange(n), knots, rng.uniform(-1.0, 1.0, len(knots)))


def _times(n: int, rng: np.random.Generator, *, per_second: float) -> NDArray[np.int64]:
    """Positions that come without a rhythm, one at least."""
    return rng.integers(0, n, 1 + rng.poisson(per_second * n / RATE))


def _add(wave: Wave, part: Wave, start: int, level: float) -> None:
    """Mix ``part`` in where it fits."""
    end = min(start + len(part), len(wave))
    wave[start:end] += level * part[: end - start]
