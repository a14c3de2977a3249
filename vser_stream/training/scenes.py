"""Composed hours of a home: somebody's calm speech, visitors, a television, noises, and events.

A scene lives in memory only. Its parts are clips of people who allowed neither less nor more than
training and trying, so nothing of it is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from vser_stream.training.household import NOISES, Wave, loudness, television
from vser_stream.training.room import Room, Sound, Tape
from vser_stream.values import RATE, Block, Label, Pcm

__all__ = ["RESIDENT", "TELEVISION", "VISITOR", "Cast", "Event", "Scene", "compose", "trimmed"]

RESIDENT, VISITOR, TELEVISION = "resident", "visitor", "television"

_FULL_SCALE = 32768.0

_HEARD: Final = 10 ** (-30 / 20)
"""A frame this far below the loudness of its clip is no speech (ratio of amplitudes)."""

_FRAME = RATE // 100
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
    room = Room.drawn(cast.resident[Label.CALM], rng)
    tape = Tape(np.zeros(round(60 * minutes * RATE), np.float32))
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


def _play_events(tape: Tape, cast: Cast, room: Room, rng: np.random.Generator) -> Iterator[Event]:
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
    tape: Tape, cast: Cast, room: Room, *, rng: np.random.Generator, events: Sequence[Event]
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
    visitor: Iterable[Wave], calm: Iterator[Wave], room: Room, rng: np.random.Generator
) -> Iterator[tuple[str, Wave]]:
    level_db = rng.uniform(-6.0, 3.0)
    for clip in visitor:
        yield VISITOR, room.spoken(clip, level_db=level_db)
        yield RESIDENT, room.uttered(next(calm))


def _play_television(tape: Tape, cast: Cast, room: Room, rng: np.random.Generator) -> None:
    voices = [clip for said in cast.others for clip in said]
    for _ in range(max(1, round(_TELEVISION_PER_HOUR * tape.seconds / 3600))):
        lasts = min(rng.uniform(*_TELEVISION_LASTS), tape.seconds / 2)
        programme = television(voices, round(lasts * RATE), rng)
        level_db = room.calm_db - rng.uniform(8.0, 20.0)
        tape.play(room.at(programme, level_db), rng.uniform(0.0, tape.seconds - lasts), TELEVISION)


def _play_noises(tape: Tape, room: Room, rng: np.random.Generator) -> None:
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
