"""A room as a microphone hears it: what is played in it, its walls, its own noise, its line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from scipy.signal import fftconvolve

from vser_stream.training.data.augment import CLEAN, Augmentation, draw
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.simulation.household import Wave, even, loudness, noise
from vser_stream.values import RATE, Pcm

__all__ = ["Place", "Room", "Sound", "Tape", "response_of"]

_FULL_SCALE = 32768.0

_STRETCH = 60 * RATE
"""The line is applied to a minute at a time, to bound the memory (samples)."""

_DRY, _MADE = 0.45, 0.3
"""Shares of the rooms without an echo, and with one that is made of noise; the others are real."""

_BEFORE, _DIRECT = RATE // 100, RATE // 200
"""An impulse response begins 10 ms before its peak; 5 ms from there on are the sound itself (samples)."""

_EARLY, _FALLS_DB, _FALLS_S, _EVEN_DB = 0.05, -25.0, 0.8, 8.0
"""What is no room: energy before its beginning (share), too long an echo (dB after s), a filter (dB)."""

_LOUDER_DB = (-8.0, 18.0)
"""Of a clip of the resident than calm; where a corpus was levelled, none is."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that was put into a scene."""

    what: str
    """For people who read of false alarms: ``resident``, ``visitor``, ``radio`` ..."""

    start: float
    """From the beginning of the scene (s), as is ``end``."""

    end: float
    """From the beginning of the scene (s)."""

    answer: Answer | None = None
    """What should be said of it; None for what sounds behind all else."""

    own: bool = False
    """The resident speaks."""


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What has been put where so far."""

    wave: Wave
    sounds: list[Sound] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Its length (s)."""
        return len(self.wave) / RATE

    def play(
        self,
        part: Wave,
        at: float,
        what: str,
        *,
        lasts: float = math.inf,
        answer: Answer | None = None,
        own: bool = False,
    ) -> float:
        """Mix ``part`` in from ``at`` on, as far as there is room; return where it ends (s).

        What follows after it has lasted so long is echo.
        """
        start = round(at * RATE)
        part = part[: max(len(self.wave) - start, 0)]
        self.wave[start : start + len(part)] += part
        end = at + min(lasts, len(part) / RATE)
        self.sounds.append(Sound(what, at, end, answer, own))
        return end


class Place(IntEnum):
    """Where in the room something sounds; the larger, the more of it is echo."""

    NEAR = 0
    ABOUT = 1
    FAR = 2


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What stays the same for an hour: walls, microphone, line, and how loud the resident speaks."""

    walls: Augmentation
    response: Wave | None
    """Of a real room, which then stands instead of the walls; see :func:`response_of`."""

    line: Augmentation
    seed: int
    """Of the reflections, which are the same for every utterance at one place."""

    calm_loudness: float
    """Of the resident's clips as they were recorded (dB re full scale)."""

    calm_db: float
    """Loudness of the resident's calm speech in the room (dB re full scale)."""

    floor_db: float
    """Loudness of the room itself (dB re full scale)."""

    tilt: float
    """Power of the spectrum of its noise, as in Augmentation (dimensionless)."""

    @classmethod
    def drawn(cls, calm: Sequence[Wave], rng: np.random.Generator, *, responses: Sequence[Wave] = ()) -> Room:
        """Every other home has a good microphone, nearly every other is dry."""
        kind, spoiled = rng.random(), draw("home", rng)
        if rng.random() < 0.5:  # noqa: PLR2004 - a coin
            spoiled = CLEAN
        real = kind >= _DRY + _MADE and bool(responses)
        made = kind >= _DRY and not real
        calm_db = rng.uniform(-44.0, -22.0)
        rt60, wet = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.2, 1.2))
        return cls(
            walls=Augmentation("walls", rt60=rt60 if made else None, wet=wet),
            response=responses[int(rng.integers(len(responses)))] if real else None,
            line=replace(spoiled, rt60=None, snr_db=None, peak_db=None, gain_db=0.0),
            seed=int(rng.integers(2**31)),
            calm_loudness=float(np.median([loudness(clip) for clip in calm])),
            calm_db=calm_db,
            floor_db=calm_db - rng.uniform(18.0, 48.0),
            tilt=rng.uniform(0.0, 1.0),
        )

    def uttered(self, clip: Wave) -> Wave:
        """The resident's clip, at its own level against calm, within limits."""
        louder = 20 * np.log10(max(loudness(clip), 1e-6) / max(self.calm_loudness, 1e-6))
        return self.spoken(clip, level_db=float(np.clip(louder, *_LOUDER_DB)))

    def spoken(self, clip: Wave, *, level_db: float, place: Place = Place.NEAR) -> Wave:
        """A clip in the room, this much louder than the resident's calm speech (dB)."""
        return self.at(self._echoed(clip, place), self.calm_db + level_db)

    def _echoed(self, clip: Wave, place: Place) -> Wave:
        rng = np.random.default_rng([self.seed, place])
        more = float(rng.uniform(0.5, 1.5)) * 2.0**place  # of the echo's energy
        if self.response is not None:
            response = self.response.copy()
            response[_DIRECT:] *= np.float32(min(more, 1.0) ** 0.5)
            return np.asarray(fftconvolve(clip, response), np.float32)
        if self.walls.rt60 is None:
            return clip
        dry = _int16(np.pad(even(clip) * np.float32(0.03), (0, round(self.walls.rt60 * RATE))))
        walls = replace(self.walls, wet=self.walls.wet * more)
        return walls.apply(dry, rng).astype(np.float32)

    @staticmethod
    def at(wave: Wave, level_db: float) -> Wave:
        """The same at a loudness (dB re full scale)."""
        return np.asarray(even(wave) * 10 ** (level_db / 20), np.float32)

    def recorded(self, wave: Wave, rng: np.random.Generator) -> Pcm:
        """The wave over the room's own noise, through microphone and line."""
        parts = []
        for start in range(0, len(wave), _STRETCH):
            part = wave[start : start + _STRETCH]
            pcm = _int16(part + self.at(noise(len(part), rng, tilt=self.tilt), self.floor_db))
            parts.append(pcm if self.line == CLEAN else self.line.apply(pcm, rng))
        return np.concatenate(parts)


def response_of(wave: Wave) -> Wave | None:
    """Cut an impulse response to the room it is of; None if it is of none.

    Collections of them hold halls, springs, filters and effects, too.
    """
    peak = int(np.argmax(np.abs(wave)))
    start = max(peak - _BEFORE, 0)
    power = np.square(wave, dtype=np.float64)
    left = 10 * np.log10(np.cumsum(power[peak:][::-1])[::-1] / max(power[peak:].sum(), 1e-12) + 1e-12)
    end = int(np.argmax(left < _FALLS_DB)) or len(left)
    spectrum = np.square(np.abs(np.fft.rfft(wave[start:], 2 * RATE)))
    octaves = [spectrum[low : 2 * low].mean() for low in (250, 500, 1000, 2000, 4000, 8000)]
    heard = 10 * np.log10(min(octaves[2:4]) / max(*octaves, 1e-12) + 1e-12)
    if power[:start].sum() > _EARLY * power.sum() or end > _FALLS_S * RATE or heard < -_EVEN_DB:
        return None
    response = wave[peak : peak + 2 * end + _DIRECT].astype(np.float32)
    return np.asarray(response / np.sqrt(np.sum(np.square(response))), np.float32)


def _int16(wave: Wave) -> Pcm:
    return np.asarray(np.round(np.clip(wave * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1)), np.int16)
