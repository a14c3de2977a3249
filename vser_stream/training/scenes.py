"""Composed hours of a home: somebody's calm speech, visitors, a television, noises, and events.

A scene lives in memory only. Its parts are clips of people who allowed neither less nor more than
training and trying, so nothing of it is ever written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np

from vser_stream.training.augment import CLEAN, Augmentation, draw
from vser_stream.training.household import NOISES, Wave, even, loudness, noise, television
from vser_stream.values import RATE, Block, Label, Pcm

__all__ = ["RESIDENT", "TELEVISION", "VISITOR", "Cast", "Event", "Scene", "Sound", "compose", "trimmed"]

RESIDENT, VISITOR, TELEVISION = "resident", "visitor", "television"

_FULL_SCALE = 32768.0

_HEARD: Final = 10 ** (-30 / 20)
"""A frame this far below the loudness of its clip is no speech (ratio of amplitudes)."""

_FRAME = RATE // 100
_STRETCH = 60 * RATE
"""The line is applied to a minute at a time, to bound the memory (samples)."""

_SPEECH_EVERY = (15.0, 60.0)
"""Silence between two utterances of the resident, or two visits (s)."""

_VISIT = 0.15
"""Share of the times somebody speaks that are a conversation."""

_NOISE_EVERY = (30.0, 180.0)
_TELEVISION_PER_HOUR, _TELEVISION_LASTS = 2.0, (120.0, 360.0)
_EVENTS_PER_HOUR = (2, 4)
"""Of each label the resident has clips of: fewest and most."""

_APART = 150.0
"""From the end of an event to the next: more than an alarm's hold and refractory time together (s)."""

_ALONE = 3.0
"""Around an event nobody else in the room speaks (s)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who is heard in a home; every clip begins and ends with speech."""

    resident: Mapping[Label, Sequence[Wave]]
    """Clips of the one who lives there, calm ones at least."""

    enrolled: Sequence[Wave]
    """Calm clips of the resident that are not heard again."""

    others: Sequence[Sequence[Wave]]
    """Calm clips of each of the others: they visit, and speak on television."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that was put into a scene."""

    what: str
    """``resident``, ``visitor``, ``television`` or the name of a noise."""

    start: float
    """From the beginning of the scene (s), as is ``end``."""

    end: float


@dataclass(frozen=True, slots=True)
class Event:
    """A few utterances of one emotion, one after the other."""

    label: Label
    start: float
    """First sample of speech (s)."""

    end: float
    """Last sample of speech (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a microphone in a home heard, and the truth about it."""

    pcm: Pcm
    sounds: tuple[Sound, ...]
    events: tuple[Event, ...]
    enrolment: tuple[Pcm, ...]
    """Calm utterances of the resident through the same room and line, before the scene."""

    def blocks(self) -> Iterator[Block]:
        """The scene as a source delivers it, its clock starting at 0."""
        for start in range(0, len(self.pcm), RATE):
            yield Block(self.pcm[start : start + RATE].copy(), start=start, heard_at=start / RATE)


def trimmed(pcm: Pcm) -> Wave:
    """A clip from its first frame of speech to its last, with edges that do not click."""
    wave = pcm.astype(np.float32) / np.float32(_FULL_SCALE)
    frames = np.square(wave[: len(wave) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1) ** 0.5
    heard = np.flatnonzero(frames > _HEARD * loudness(wave))
    if not len(heard):
        return wave
    speech = wave[heard[0] * _FRAME : (heard[-1] + 1) * _FRAME].copy()
    fade = np.linspace(0.0, 1.0, _FRAME // 2, dtype=np.float32)
    speech[: len(fade)] *= fade
    speech[-len(fade) :] *= fade[::-1]
    return speech


def compose(cast: Cast, *, minutes: float, seed: Sequence[int]) -> Scene:
    """Compose one home; the same cast, length and seed give the same samples."""
    rng = np.random.default_rng(seed)
    room = _Room.drawn(cast, rng)
    tape = _Tape(np.zeros(round(60 * minutes * RATE), np.float32))
    events = tuple(_play_events(tape, cast, room, rng))
    _play_days(tape, cast, room, rng=rng, events=events)
    _play_television(tape, cast, room, rng)
    _play_noises(tape, room, rng)
    enrolment = [np.pad(room.spoken(clip, level_db=0.0), RATE // 2) for clip in cast.enrolled]
    return Scene(
        pcm=room.recorded(tape.wave, rng),
        sounds=tuple(sorted(tape.sounds, key=lambda sound: sound.start)),
        events=events,
        enrolment=tuple(room.recorded(wave, rng) for wave in enrolment),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Tape:
    """What has been put where so far."""

    wave: Wave
    sounds: list[Sound] = field(default_factory=list)

    @property
    def seconds(self) -> float:
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
class _Room:
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
    def drawn(cls, cast: Cast, rng: np.random.Generator) -> _Room:
        """Every other home has a good microphone in a dry room."""
        spoiled = draw("home", rng) if rng.random() < 0.5 else CLEAN  # noqa: PLR2004 - a coin
        calm_db = rng.uniform(-38.0, -26.0)
        return cls(
            walls=Augmentation("walls", rt60=spoiled.rt60, wet=spoiled.wet),
            line=replace(spoiled, rt60=None, snr_db=None, peak_db=None, gain_db=0.0),
            seed=int(rng.integers(2**31)),
            calm_loudness=float(np.median([loudness(clip) for clip in cast.resident[Label.CALM]])),
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


def _play_events(tape: _Tape, cast: Cast, room: _Room, rng: np.random.Generator) -> Iterator[Event]:
    decks = {label: _deck(cast.resident[label], rng) for label in _emotions(cast)}
    fewest, most = _EVENTS_PER_HOUR
    hours = tape.seconds / 3600
    labels = [label for label in decks for _ in range(max(1, round(hours * rng.integers(fewest, most + 1))))]
    slot = tape.seconds / max(len(labels), 1)
    for index, turn in enumerate(rng.permutation(len(labels))):
        begin = index * slot + rng.uniform(0.1, max(slot - _APART, 0.2))
        at = start = begin
        for _ in range(rng.integers(2, 5)):
            clip = next(decks[labels[turn]])
            end = tape.play(room.uttered(clip) * _little(rng), at, labels[turn], lasts=len(clip) / RATE)
            at = end + rng.uniform(0.3, 0.8)
        yield Event(labels[turn], start, end)


def _play_days(
    tape: _Tape, cast: Cast, room: _Room, *, rng: np.random.Generator, events: Sequence[Event]
) -> None:
    """The resident speaks now and then, sometimes with a visitor."""
    calm = _deck(cast.resident[Label.CALM], rng)
    at = rng.uniform(1.0, _SPEECH_EVERY[0])
    while at < tape.seconds:
        turns = _visit(cast, rng) if cast.others and rng.random() < _VISIT else []
        for what, clip in [(RESIDENT, room.uttered(next(calm))), *_in_turn(turns, calm, room, rng)]:
            free = _free(at, len(clip) / RATE, events)
            at = tape.play(clip * _little(rng), free, what) + rng.uniform(0.4, 2.0)
        at += rng.uniform(*_SPEECH_EVERY)


def _visit(cast: Cast, rng: np.random.Generator) -> list[Wave]:
    """What one visitor says."""
    said = cast.others[int(rng.integers(len(cast.others)))]
    return [said[int(index)] for index in rng.permutation(len(said))[: rng.integers(2, 6)]]


def _in_turn(
    visitor: Iterable[Wave], calm: Iterator[Wave], room: _Room, rng: np.random.Generator
) -> Iterator[tuple[str, Wave]]:
    level_db = rng.uniform(-6.0, 3.0)
    for clip in visitor:
        yield VISITOR, room.spoken(clip, level_db=level_db)
        yield RESIDENT, room.uttered(next(calm))


def _play_television(tape: _Tape, cast: Cast, room: _Room, rng: np.random.Generator) -> None:
    voices = [clip for said in cast.others for clip in said]
    for _ in range(max(1, round(_TELEVISION_PER_HOUR * tape.seconds / 3600))):
        lasts = min(rng.uniform(*_TELEVISION_LASTS), tape.seconds / 2)
        programme = television(voices, round(lasts * RATE), rng)
        level_db = room.calm_db - rng.uniform(8.0, 20.0)
        tape.play(room.at(programme, level_db), rng.uniform(0.0, tape.seconds - lasts), TELEVISION)


def _play_noises(tape: _Tape, room: _Room, rng: np.random.Generator) -> None:
    at = rng.uniform(0.0, _NOISE_EVERY[0])
    while at < tape.seconds:
        name = list(NOISES)[int(rng.integers(len(NOISES)))]
        make, lasts = NOISES[name]
        wave = make(round(rng.uniform(*lasts) * RATE), rng)
        at = tape.play(room.at(wave, room.calm_db - rng.uniform(0.0, 25.0)), at, name)
        at += rng.uniform(*_NOISE_EVERY)


def _emotions(cast: Cast) -> list[Label]:
    return [label for label in (Label.PANIC, Label.ANGRY) if cast.resident.get(label)]


def _free(at: float, lasts: float, events: Sequence[Event]) -> float:
    """The next time from ``at`` on at which nobody is angry or in panic."""
    for event in sorted(events, key=lambda event: event.start):
        if at < event.end + _ALONE and at + lasts > event.start - _ALONE:
            at = event.end + _ALONE
    return at


def _little(rng: np.random.Generator) -> np.float32:
    """People turn their heads: up to 3 dB either way."""
    return np.float32(10 ** (rng.uniform(-3.0, 3.0) / 20))


def _deck(clips: Sequence[_T], rng: np.random.Generator) -> Iterator[_T]:
    """All clips in random order, then all again."""
    while True:
        for index in rng.permutation(len(clips)):
            yield clips[int(index)]


def _int16(wave: Wave) -> Pcm:
    return np.asarray(np.round(np.clip(wave * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1)), np.int16)
