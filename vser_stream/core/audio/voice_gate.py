"""Whether what the speech detector let through is a voice at all.

webrtcvad takes loud noise for speech in every mode, and a model that only ever heard voices has to
call a vacuum cleaner something. The limits are where household noise made by
:mod:`vser_stream.training.simulation.household` lies and voices do not: of 3,030 emotional clips they turn
away 0.2 % (0.8 % of those labelled panic), of the same clips through noise, rooms and telephones
at most 3.5 % (2.6 %); of fans, water, vacuum cleaners and doors all, of dishes 84 %, of music 12 %.
Of 512 recorded screams, cries, moans and gasps over a quiet floor the detector opens at every one, and
the limits turn away 9 % whole: breath without a tone.
"""

from __future__ import annotations

from vser_stream.core.features.functionals import FEATURES
from vser_stream.values import Vector

__all__ = ["no_voice", "voiced_s"]

LEAST_VOICED_S = 0.15
"""About one short syllable (s)."""

STEADY_DB = 3.5
"""Speech rises and falls by 4.8 dB at least, between its syllables (standard deviation, dB)."""

NOISY_DB = 0.0
"""A scream may be as steady as a fan, but its harmonics stand out of its noise (dB)."""

TREMOR = 0.07
"""No larynx holds a tone better: 0.1 in the steadiest of clips (semitones from frame to frame)."""

GLIDE = 5.0
"""Nor without a glide: 8 in the flattest of clips (semitones a second)."""

HIGH = 36.0
"""A held scream has less of both; nobody speaks so high, at 440 Hz (semitones above 55 Hz)."""

HELD_S = 0.75
"""It is longer than the beep of a machine, which is as steady (s)."""

HELD_GLIDE, HELD_DB = 1.5, 1.2
"""And yet no tone of a machine: twelve held screams glide by 2.0 semitones a second and rise and fall by
1.6 dB at least; beeps, horns' and whistles' tones glide by less than 1.4, or rise and fall by 0.3."""

STRUCK_S = 0.3
"""What drips, rings or is struck sounds in short pieces; a voice that leaps holds its tones longer (s)."""

LOOSE_DB, LEAPS_DB = 13.0, 4.0
"""Its overtones are those of one tone and then of another: the first harmonic over the second spreads
(standard deviation) and leaps (from frame to frame) at least so far (dB)."""

SMOOTH, SLOW = 0.36, 24.0
"""Yet each of its tones is pure and comes to rest: less spectral change (share), less glide (semitones a
second). With the three limits above it is true of 89 % of 137 utterances of made drops, chimes and music
boxes in three noises and of three quarters of their first seconds, of 5 % of recorded music, and of none of
642 utterances of speech and 640 of screams, sobs and moans."""

_NAMES = ("voiced_s", "energy_sd", "hnr_mean", "jitter", "pitch_motion", "pitch_p50")
_COLUMN = {name: FEATURES.index(name) for name in _NAMES}
_STRUCK = [
    FEATURES.index(name)
    for name in ("voiced_length", "h1_h2_sd", "h1_h2_motion", "flux_mean", "pitch_motion", "pitch_p80")
]


def voiced_s(vector: Vector) -> float:
    """Voiced time in a segment (s)."""
    return float(vector[_COLUMN["voiced_s"]])


def no_voice(vector: Vector) -> str | None:
    """Say why a row of features is not of a voice; None if it may be."""
    voiced, spread, harmonics, jitter, motion, pitch = (float(vector[column]) for column in _COLUMN.values())
    if voiced < LEAST_VOICED_S:
        return f"only {voiced:.2f} s of voice"
    if spread < STEADY_DB and harmonics < NOISY_DB:
        return "a steady noise, not a voice"
    held = voiced >= HELD_S and pitch >= HIGH and motion >= HELD_GLIDE and spread >= HELD_DB
    if jitter < TREMOR and motion < GLIDE and not held:
        return "a steady tone, not a voice"
    if _is_struck(vector):
        return "percussive tones, not a voice"
    return None


def _is_struck(vector: Vector) -> bool:
    length, spread, leaps, change, motion, pitch = (float(vector[column]) for column in _STRUCK)
    loose = spread >= LOOSE_DB and leaps >= LEAPS_DB
    # What speaks is never turned away for it: the made voice of the demo, at 366 Hz, has all the rest.
    return pitch >= HIGH and length <= STRUCK_S and loose and change <= SMOOTH and motion <= SLOW
