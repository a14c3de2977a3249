"""From the frames of an utterance to one row of named features.

Pauses say nothing about timbre: spectrum, level and voice quality are pooled over the frames that
hold speech, and what only a voiced sound has over the voiced ones. Every feature is defined for
any tracks, silence and none at all included.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.cepstrum import MFCCS
from vser_stream.core.features.spectrum import BALANCE, PERIODICITY, Array
from vser_stream.core.features.tracks import FRAME_PERIOD, Tracks
from vser_stream.values import Vector

__all__ = ["ABSOLUTE", "FEATURES", "GATES", "functionals"]

Mask = NDArray[np.bool_]

_ACTIVE_DB = 25.0
"""Speech is what lies at most so far below the loud frames of its utterance (dB)."""

_VOICED = 0.5
_PITCH_REFERENCE = 55.0
"""Pitch is in semitones above this (Hz)."""

_LEAP = 2.0
"""Steps between frames are cut at this: larger ones are octave errors (semitones)."""

_QUANTILES = np.array([0.05, 0.2, 0.5, 0.8, 0.95])

ABSOLUTE: Final = ("level_p50", "level_p95")
"""Features in dB re full scale: they say more of the microphone than of the person."""

GATES: Final = ("voiced_s", "active_s")
"""Features that tell speech from noise, not one mood from another."""


def functionals(tracks: Tracks) -> Vector:
    """Return the features of an utterance in the order of :data:`FEATURES`; always finite."""
    return np.fromiter(_measure(tracks).values(), dtype=np.float32)


def _measure(tracks: Tracks) -> dict[str, float]:
    loud = _quantiles(tracks.level)[-1]
    active = tracks.level >= loud - _ACTIVE_DB
    voiced = active & (tracks.voicing >= _VOICED)
    semitones = 12.0 * np.log2(tracks.f0 / _PITCH_REFERENCE)
    return {
        **_pitch(semitones, voiced),
        **_energy(tracks.level, active, voiced),
        **_rhythm(tracks, active, voiced),
        **_timbre(tracks, active, voiced),
        **_trends(tracks, semitones, voiced),
    }


def _quantiles(values: Array) -> Array:
    """As numpy.percentile, at a tenth of its overhead."""
    if not len(values):
        return np.zeros(len(_QUANTILES))
    ranks = _QUANTILES * (len(values) - 1)
    lower = ranks.astype(int)
    upper = np.minimum(lower + 1, len(values) - 1)
    ordered = np.sort(values)
    quantiles: Array = ordered[lower] + (ordered[upper] - ordered[lower]) * (ranks - lower)
    return quantiles


def _mean(values: Array) -> float:
    """As ndarray.mean, digit by digit, at a third of its overhead."""
    return float(np.add.reduce(values)) / len(values) if len(values) else 0.0


def _sd(values: Array) -> float:
    """As ndarray.std."""
    deviations = values - _mean(values)
    return math.sqrt(_mean(deviations * deviations))


def _slope(values: Array, where: Mask) -> float:
    """Regression slope over time (units per second)."""
    time = np.flatnonzero(where) * FRAME_PERIOD
    if len(time) < 2:  # noqa: PLR2004 - a line needs two points
        return 0.0
    centred = time - time.mean()
    return float(centred @ values[where] / (centred @ centred))


def _runs(mask: Mask) -> Array:
    """Lengths of the unbroken stretches of a mask (s)."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return (edges[1::2] - edges[::2]).astype(np.float64) * FRAME_PERIOD


def _pitch(semitones: Array, voiced: Mask) -> dict[str, float]:
    values = semitones[voiced]
    p5, p20, p50, p80, p95 = _quantiles(values)
    steps = np.diff(semitones)[voiced[1:] & voiced[:-1]]
    steps = np.clip(steps, -_LEAP, _LEAP) / FRAME_PERIOD
    bends = np.abs(np.diff(semitones, 2)[voiced[2:] & voiced[1:-1] & voiced[:-2]])
    rising, falling = steps[steps > 0.0], steps[steps < 0.0]
    return {
        "pitch_p50": p50,
        "pitch_mean": _mean(values),
        "pitch_p5": p5,
        "pitch_p20": p20,
        "pitch_p80": p80,
        "pitch_p95": p95,
        "pitch_range_60": p80 - p20,
        "pitch_range_90": p95 - p5,
        "pitch_sd": _sd(values),
        "pitch_slope": _slope(semitones, voiced),
        "pitch_motion": _mean(np.abs(steps)),
        "pitch_rising": _mean(rising),
        "pitch_falling": _mean(falling),
        "pitch_rising_share": len(rising) / max(len(steps), 1),
        "jitter": _mean(np.minimum(bends, _LEAP)),
    }


def _energy(level: Array, active: Mask, voiced: Mask) -> dict[str, float]:
    values = level[active]
    p5, p20, p50, p80, p95 = _quantiles(values)
    steps = np.diff(level)[active[1:] & active[:-1]]
    bends = np.diff(level, 2)[voiced[2:] & voiced[1:-1] & voiced[:-2]]
    centred = values - _mean(values)
    spread = max(_sd(values), 1e-3)
    return {
        "level_p50": p50,
        "level_p95": p95,
        "energy_low": p50 - p5,
        "energy_high": p95 - p50,
        "energy_range_60": p80 - p20,
        "energy_sd": spread,
        "energy_skew": _mean(centred**3) / spread**3,
        "energy_slope": _slope(level, active),
        "energy_motion": _mean(np.abs(steps)),
        "energy_rising": _mean(steps[steps > 0.0]),
        "energy_falling": _mean(steps[steps < 0.0]),
        "shimmer": _mean(np.minimum(np.abs(bends), 12.0)),
    }


def _peaks(level: Array, active: Mask) -> int:
    """Maxima of the smoothed level that stand out from their valleys: about one a syllable."""
    if len(level) < 5:  # noqa: PLR2004 - the width of the smoother
        return 0
    smooth = np.convolve(level, np.hanning(7)[1:-1] / 3.0, mode="same")
    peak = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & active[1:-1]
    return int(peak.sum())


def _rhythm(tracks: Tracks, active: Mask, voiced: Mask) -> dict[str, float]:
    duration = max(len(active) * FRAME_PERIOD, FRAME_PERIOD)
    spoken = max(active.sum() * FRAME_PERIOD, FRAME_PERIOD)
    voiced_runs = _runs(voiced)
    pauses = _runs(~active)
    pauses = pauses[pauses >= 3 * FRAME_PERIOD]
    return {
        "voiced_s": voiced.sum() * FRAME_PERIOD,
        "active_s": active.sum() * FRAME_PERIOD,
        "voiced_share": voiced.sum() * FRAME_PERIOD / spoken,
        "active_share": spoken / duration,
        "voicing": _mean(tracks.voicing[active]),
        "voiced_rate": len(voiced_runs) / spoken,
        "voiced_length": _mean(voiced_runs),
        "voiced_length_sd": _sd(voiced_runs),
        "peak_rate": _peaks(tracks.level, active) / spoken,
        "pause_rate": len(pauses) / duration,
        "pause_share": float(pauses.sum()) / duration,
    }


def _moments(values: Array, names: tuple[str, ...]) -> dict[str, float]:
    """Mean and standard deviation of each column."""
    if not len(values):
        values = np.zeros((1, len(names)))
    mean = np.add.reduce(values, axis=0) / len(values)
    deviations = values - mean
    spread = np.sqrt(np.add.reduce(deviations * deviations, axis=0) / len(values))
    means = zip((f"{name}_mean" for name in names), mean.tolist(), strict=True)
    spreads = zip((f"{name}_sd" for name in names), spread.tolist(), strict=True)
    return {**dict(means), **dict(spreads)}


_CEPSTRUM = tuple(f"mfcc{order}" for order in range(1, MFCCS))
_TIMBRE = (*_CEPSTRUM, *BALANCE, *PERIODICITY)


def _timbre(tracks: Tracks, active: Mask, voiced: Mask) -> dict[str, float]:
    columns = np.column_stack([tracks.mfcc[:, 1:], tracks.balance, tracks.periodicity])
    if not voiced.any():
        columns = columns * 0.0
    steps = np.abs(np.diff(columns, axis=0))[voiced[1:] & voiced[:-1]]
    steps = steps if len(steps) else np.zeros((1, len(_TIMBRE)))
    unvoiced = columns[active & ~voiced][:, : len(_CEPSTRUM) + len(BALANCE)]
    unvoiced_names = tuple(f"unvoiced_{name}" for name in _TIMBRE[: unvoiced.shape[1]])
    rest = unvoiced.mean(axis=0) if len(unvoiced) else np.zeros(len(unvoiced_names))
    return {
        **_moments(columns[voiced], _TIMBRE),
        **dict(zip((f"{name}_motion" for name in _TIMBRE), steps.mean(axis=0), strict=True)),
        **dict(zip(unvoiced_names, rest, strict=True)),
    }


def _trends(tracks: Tracks, semitones: Array, voiced: Mask) -> dict[str, float]:
    """Second half of the voiced frames over the first, and how pitch and level go together."""
    names = ("pitch", "level", "alpha_ratio", "centroid", "hnr")
    columns = np.column_stack(
        [
            semitones,
            tracks.level,
            tracks.balance[:, BALANCE.index("alpha_ratio")],
            tracks.balance[:, BALANCE.index("centroid")],
            tracks.periodicity[:, 0],
        ]
    )[voiced]
    half = len(columns) // 2
    change = columns[half:].mean(axis=0) - columns[:half].mean(axis=0) if half else np.zeros(len(names))
    centred = columns - columns.mean(axis=0) if half else np.zeros((1, len(names)))
    norm = float(np.sqrt(np.sum(centred[:, 0] ** 2) * np.sum(centred[:, 1] ** 2)))
    together = float(centred[:, 0] @ centred[:, 1]) / norm if norm > 0.0 else 0.0
    return {
        **{f"{name}_trend": float(value) for name, value in zip(names, change, strict=True)},
        "pitch_level_correlation": together,
    }


_NOTHING = Tracks(
    f0=np.empty(0),
    voicing=np.empty(0),
    level=np.empty(0),
    mfcc=np.empty((0, MFCCS)),
    balance=np.empty((0, len(BALANCE))),
    periodicity=np.empty((0, len(PERIODICITY))),
)

FEATURES: Final = tuple(_measure(_NOTHING))
"""Names of the features, in their order."""
