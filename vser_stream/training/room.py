"""A room as a microphone hears it: what is played in it, its walls, its own noise, its line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vser_stream.training.augment import CLEAN, Augmentation, draw
from vser_stream.training.household import Wave, even, loudness, noise
from vser_stream.values import RATE, Pcm

__all__ = ["Room", "Sound", "Tape"]

_FULL_SCALE = 32768.0

_STRETCH = 60 * RATE
"""The line is applied to a minute at a time, to bound the memory (samples)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that was put into a scene."""

    what: str
    """``resident``, ``visitor``, ``television`` or the name of a noise."""

    start: float
    """From the beginning of the scene (s), as is ``end``."""

    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What has been put where so far."""

    wave: Wave
    sounds: list[Sound] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Its length (s)."""
        return len(self.wave) / RATE

    def play(self, part: Wave, at: float, what: str, *, lasts: float = math.inf) -> float:
        """Mix ``part`` in from ``at`` on, as far as there is room; return where it ends (s).

        What follows after it has lasted so long is echo.
        """
        start = round(at * RATE)
        part = part[: max(len(self.wave) - start, 0)]
        self.wave[start : start + len(part)] += part
        end = at + min(lasts, len(part) / RATE)
        self.sounds.append(Sound(what, at, end))
        return end


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What stays the same for an hour: walls, microphone, line, and how loud the resident speaks."""

    walls: Augmentation
    line: Augmentation
    seed: int
    """Of the reflections, which are the same for every utterance."""

    calm_loudness: float
    """Of the resident's clips as they were recorded."""

    calm_db: float
    """Loudness of the resident's calm speech in the room (dB re full scale)."""

    floor_db: float
    """Loudness of the room itself (dB re full scale)."""

    tilt: float

    @classmethod
    def drawn(cls, calm: Sequence[Wave], rng: np.random.Generator) -> Room:
        """Every other home has a good microphone in a dry room."""
        spoiled = draw("home", rng) if rng.random() < 0.5 else CLEAN  # noqa: PLR2004 - a coin
        calm_db = rng.uniform(-38.0, -26.0)
        return cls(
            walls=Augmentation("walls", rt60=spoiled.rt60, wet=spoiled.wet),
            line=replace(spoiled, rt60=None, snr_db=None, peak_db=None, gain_db=0.0),
            seed=int(rng.integers(2**31)),
            calm_loudness=float(np.median([loudness(clip) for clip in calm])),
            calm_db=calm_db,
            floor_db=calm_db - rng.uniform(22.0, 40.0),
            tilt=rng.uniform(0.3, 1.0),
        )

    def uttered(self, clip: Wave) -> Wave:
        """The resident's clip, at its own level against calm, within limits."""
        louder = 20 * np.log10(max(loudness(clip), 1e-6) / max(self.calm_loudness, 1e-6))
        return self.spoken(clip, level_db=float(np.clip(louder, -6.0, 12.0)))

    def spoken(self, clip: Wave, *, level_db: float) -> Wave:
        """A clip in the room, this much louder than the resident's calm speech (dB)."""
        level = self.calm_db + level_db
        if self.walls.rt60 is None:
            return self.at(clip, level)
        echo = round(self.walls.rt60 * RATE)
        dry = _int16(np.pad(even(clip) * np.float32(0.03), (0, echo)))
        wet = self.walls.apply(dry, np.random.default_rng(self.seed)).astype(np.float32)
        return self.at(wet, level)

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


def _int16(wave: Wave) -> Pcm:
    return np.asarray(np.round(np.clip(wave * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1)), np.int16)
