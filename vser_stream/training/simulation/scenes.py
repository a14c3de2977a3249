"""Composed hours of a home: somebody's calm and lively speech, visitors, a radio, appliances, and events.

A scene lives in memory only. Its parts are clips of people who allowed neither less nor more than
training and trying, so nothing of it is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np

from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.sound_kinds import OUTSIDE, Answer
from vser_stream.training.simulation.room import Place, Room, Sound, Tape
from vser_stream.training.simulation.surroundings import (
    LIVELY,
    LOOK_ALIKE,
    RESIDENT,
    SCREAM,
    VISITOR,
    Pools,
    Surroundings,
    Turn,
    heard,
    play_backgrounds,
    play_radio,
    play_turn,
    turn_of,
)
from vser_stream.values import RATE, Block, Label, Pcm

__all__ = ["Cast", "Event", "Hours", "Scene", "compose", "compose_quiet"]

_SHARES: Final = {RESIDENT: 0.62, VISITOR: 0.13, LIVELY: 0.12, LOOK_ALIKE: 0.13}
"""Of the turns outside events."""

_OWN_LIVELY = 0.5
"""Of the lively turns, where the resident has clips of it."""

_PAUSE, _PAUSES = 5.0, (0.6, 25.0)
"""From one turn to the next: mean of an exponential, and its limits (s)."""

_EVENTS: Final = {Answer.PANIC: 0.5, Answer.ANGRY: 0.2, Answer.SCREAM: 0.3}
_EVENT_EVERY, _AFTER = (40.0, 180.0), (8.0, 30.0)
"""From the end of an event to the next, and to the next turn of a day (s)."""

_WITHIN = (0.2, 1.2)
"""From clip to clip in an event or a visit (s)."""

_LAST = 20.0
"""Nothing begins so close to the end (s)."""

_BACKGROUND, _RADIO, _RADIO_SHARE = (40.0, 300.0), (30.0, 180.0), 0.33

_PEOPLE = (2, 5)

_T = TypeVar("_T")


class Hours(StrEnum):
    """What an hour is like."""

    HOME = "home"
    TALK = "talk"
    """Natural talk of a few people, near the microphone; nothing happens."""

    MEETING = "meeting"
    """The same far from it, hardly a pause between two."""

    RADIO = "radio"
    """Nobody but a radio."""


_MEET: Final = {Hours.TALK: (0.4, 4.0), Hours.MEETING: (0.0, 1.0)}
"""From one to the next who speaks (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who lives in a home, and what is heard there."""

    person: str
    resident: Mapping[Answer, Sequence[Clip]]
    """Calm clips at least."""

    enrolled: Sequence[Clip]
    """Calm clips of the resident that are not heard again."""

    around: Surroundings


@dataclass(frozen=True, slots=True)
class Event:
    """A few utterances of anger or panic, or a scream or two."""

    answer: Answer
    start: float
    """First sample of voice (s)."""

    end: float
    """Last sample of voice (s)."""

    @property
    def label(self) -> Label:
        """What should be told of it."""
        return OUTSIDE[self.answer]


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


def compose(cast: Cast, *, minutes: float, seed: Sequence[int]) -> Scene:
    """Compose one home; the same cast, length and seed give the same samples."""
    rng = np.random.default_rng(seed)
    corpora = {clip.corpus for some in cast.resident.values() for clip in some}
    pools = cast.around.pools(cast.person, corpora)
    calm = [heard(clip) for clip in cast.resident[Answer.CALM]]
    room = Room.drawn(calm, rng, responses=cast.around.responses())
    tape = Tape(np.zeros(round(60 * minutes * RATE), np.float32))
    events = tuple(_play_day(tape, cast, pools, room, rng))
    _play_behind(tape, room, pools, rng, radio=_RADIO_SHARE)
    enrolment = [np.pad(room.spoken(heard(clip), level_db=0.0), RATE // 2) for clip in cast.enrolled]
    return Scene(
        pcm=room.recorded(tape.wave, rng),
        sounds=tuple(sorted(tape.sounds, key=lambda sound: sound.start)),
        events=events,
        enrolment=tuple(room.recorded(wave, rng) for wave in enrolment),
    )


def compose_quiet(around: Surroundings, hours: Hours, *, minutes: float, seed: Sequence[int]) -> Scene:
    """Compose hours in which nobody is angry or in panic: natural talk, a meeting, or a radio alone."""
    rng = np.random.default_rng(seed)
    pools = around.pools("", ())
    people = [turn_of(VISITOR, pools, rng) for _ in range(rng.integers(*_PEOPLE))]
    room = Room.drawn([heard(turn.clips[0]) for turn in people], rng, responses=around.responses())
    tape = Tape(np.zeros(round(60 * minutes * RATE), np.float32))
    if hours is not Hours.RADIO:
        _play_talk(tape, room, people, pools=pools, hours=hours, rng=rng)
    _play_behind(tape, room, pools, rng, radio=float(hours is Hours.RADIO))
    return Scene(room.recorded(tape.wave, rng), sounds=tuple(tape.sounds), events=(), enrolment=())


def _play_day(tape: Tape, cast: Cast, pools: Pools, room: Room, rng: np.random.Generator) -> Iterator[Event]:
    """One turn after the other, now and then an event."""
    decks = {answer: _deck(clips, rng) for answer, clips in cast.resident.items() if clips}
    at, due = rng.uniform(1.0, 10.0), rng.uniform(*_EVENT_EVERY)
    while at < tape.seconds - _LAST:
        if at < due:
            turn = _day_turn(decks, pools, rng)
            at = play_turn(tape, room, turn, at, pause=_WITHIN, rng=rng)
            at += float(np.clip(rng.exponential(_PAUSE), *_PAUSES))
            continue
        turn = _event_turn(decks, pools, rng)
        end = play_turn(tape, room, turn, at, pause=_WITHIN, rng=rng)
        yield Event(turn.answer, at, end)
        at, due = end + rng.uniform(*_AFTER), end + rng.uniform(*_EVENT_EVERY)


def _day_turn(decks: Mapping[Answer, Iterator[Clip]], pools: Pools, rng: np.random.Generator) -> Turn:
    what = _by_share({it: share for it, share in _SHARES.items() if it == RESIDENT or it in pools}, rng)
    if what == RESIDENT:
        return Turn(RESIDENT, Answer.CALM, (next(decks[Answer.CALM]),), own=True)
    if what == LIVELY and Answer.OTHER in decks and rng.random() < _OWN_LIVELY:
        return Turn(LIVELY, Answer.OTHER, (next(decks[Answer.OTHER]),), own=True)
    return turn_of(what, pools, rng)


def _event_turn(decks: Mapping[Answer, Iterator[Clip]], pools: Pools, rng: np.random.Generator) -> Turn:
    possible = {it for it in _EVENTS if it in decks} | ({Answer.SCREAM} if SCREAM in pools else set())
    answer = _by_share({it: share for it, share in _EVENTS.items() if it in possible}, rng)
    if answer is Answer.SCREAM:
        return turn_of(SCREAM, pools, rng)
    clips = tuple(next(decks[answer]) for _ in range(rng.integers(1, 5)))
    return Turn(answer.value, answer, clips, own=True)


def _play_talk(
    tape: Tape, room: Room, people: Sequence[Turn], *, pools: Pools, hours: Hours, rng: np.random.Generator
) -> None:
    """Each of a few people says what there is of them, in any order."""
    voices = {turn.clips[0].speaker for turn in people}
    decks = [_deck([it for it in pools[VISITOR] if it.speaker == voice], rng) for voice in sorted(voices)]
    at = rng.uniform(0.5, 5.0)
    while at < tape.seconds:
        clip = next(decks[int(rng.integers(len(decks)))])
        place = Place.FAR if hours is Hours.MEETING else None
        turn = Turn(VISITOR, clip.answer, (clip,), place=place)
        at = play_turn(tape, room, turn, at, pause=_WITHIN, rng=rng)
        at += rng.uniform(*_MEET[hours])


def _play_behind(tape: Tape, room: Room, pools: Pools, rng: np.random.Generator, *, radio: float) -> None:
    play_radio(tape, room, pools, share=radio, stretch=_RADIO, rng=rng)
    play_backgrounds(tape, room, pools, stretch=_BACKGROUND, rng=rng)


def _by_share(shares: Mapping[_T, float], rng: np.random.Generator) -> _T:
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _deck(clips: Sequence[_T], rng: np.random.Generator) -> Iterator[_T]:
    """All clips in random order, then all again."""
    while True:
        for index in rng.permutation(len(clips)):
            yield clips[int(index)]
