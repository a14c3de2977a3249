"""What is heard around a resident: visitors, radio, laughter and coughs, screams, appliances, walls.

All of it is drawn wider than any one home is, so that nothing is learned of how homes are composed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from vser_stream.adapters.audio.recording import Recording
from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.sound_kinds import Answer, Role
from vser_stream.training.simulation.household import NOISES, Wave, lasting, loudness, loudspeaker, programme
from vser_stream.training.simulation.room import Place, Room, Tape, response_of
from vser_stream.values import RATE, Pcm

__all__ = [
    "BACKGROUND", "LIVELY", "LOOK_ALIKE", "RADIO", "RESIDENT", "SCREAM", "VISITOR",
    "Pools", "Surroundings", "Turn", "heard", "play_backgrounds", "play_radio", "play_turn", "trimmed",
    "turn_of",
]  # fmt: skip

RESIDENT, VISITOR, LIVELY, LOOK_ALIKE, SCREAM = "resident", "visitor", "lively", "look-alike", "scream"
RADIO, BACKGROUND = "radio", "background"

_LEVELS: Final = {
    VISITOR: (-10.0, 6.0),
    LIVELY: (-6.0, 9.0),
    LOOK_ALIKE: (-9.0, 10.0),
    SCREAM: (1.0, 18.0),
    RADIO: (-24.0, -3.0),
    BACKGROUND: (-32.0, -3.0),
}
"""Loudness against the resident's calm speech (dB)."""

_LONGEST: Final = {VISITOR: 10.0, LIVELY: 8.0, LOOK_ALIKE: 5.0, SCREAM: 5.0}
"""Of one clip (s)."""

_QUIET, _MADE = 0.25, 0.25
"""Shares of the stretches without a background, and with one made of numbers; the others are real."""

_ODD = 0.15
"""Of the look-alikes: any background, once and near."""

_TOLD_TWICE = 0.5
"""Of the visits and screams are more than one clip long."""

_FULL_SCALE = 32768.0

_HEARD: Final = 10 ** (-30 / 20)
"""A frame this far below the loudness of its clip is no speech (ratio of amplitudes)."""

_FRAME = RATE // 100


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One or more clips that follow each other."""

    what: str
    answer: Answer
    clips: tuple[Clip, ...]
    own: bool = False
    place: Place | None = None
    """Where in the room; None where it is drawn."""


Pools = Mapping[str, Sequence[Clip]]
"""Clips by what is heard; nothing that would be empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Clips for a home, by their role; empty where there are none."""

    clips: Mapping[Role, tuple[Clip, ...]]

    @classmethod
    def of(cls, clips: Collection[Clip]) -> Surroundings:
        """All that is heard around those who live among these clips."""
        return cls({role: tuple(clip for clip in clips if clip.role is role) for role in Role})

    @property
    def key(self) -> str:
        """Changes with any of the recordings."""
        digests = (_digest(clip.path) + clip.answer for role in Role for clip in self.clips[role])
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def responses(self) -> list[Wave]:
        """Of real rooms."""
        found = (_response(clip.path) for clip in self.clips[Role.IMPULSE])
        return [response for response in found if response is not None]

    def pools(self, person: str, corpora: Collection[str]) -> Pools:
        """What may be heard in the home of a person, whose clips are of these corpora.

        Others who live among the clips are heard only where their corpus is the resident's: so a corpus that
        is left out is heard nowhere but where its people live. Where nobody talks naturally, calm people do.
        """
        of = self.clips
        others = [it for it in of[Role.VOICE] if it.person != person]
        calm = [it for it in others if it.answer is Answer.CALM]
        lively = [it for it in others if it.answer is Answer.OTHER and it.corpus in corpora]
        pools: Pools = {
            VISITOR: of[Role.NATURAL] or [it for it in calm if it.corpus in corpora] or calm,
            LIVELY: [*of[Role.LIVELY], *lively],
            LOOK_ALIKE: of[Role.LOOK_ALIKE],
            SCREAM: of[Role.SCREAM],
            BACKGROUND: of[Role.BACKGROUND],
        }
        return {what: pool for what, pool in pools.items() if pool}


def turn_of(what: str, pools: Pools, rng: np.random.Generator) -> Turn:
    """Somebody in the room, or the sound of something, once or a few times."""
    odd = what == LOOK_ALIKE and BACKGROUND in pools and rng.random() < _ODD
    pool = pools[BACKGROUND if odd else what]
    first = _one(pool, rng)
    clips = [first]
    if rng.random() < _TOLD_TWICE:
        theirs = [it for it in pool if it.speaker == first.speaker and it.answer is first.answer]
        clips = [theirs[int(index)] for index in rng.permutation(len(theirs))[: rng.integers(2, 4)]]
    return Turn(what, first.answer, tuple(clips))


def heard(clip: Clip) -> Wave:
    """A clip from its first sound to its last."""
    return trimmed(_pcm(clip.path))


def trimmed(pcm: Pcm) -> Wave:
    """A clip from its first frame of speech to its last, with edges that do not click."""
    wave = _scaled(pcm)
    frames = np.square(wave[: len(wave) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1) ** 0.5
    loud = np.flatnonzero(frames > _HEARD * loudness(wave))
    if not len(loud):
        return wave
    return _faded(wave[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME])


def play_turn(
    tape: Tape, room: Room, turn: Turn, at: float, *, pause: tuple[float, float], rng: np.random.Generator
) -> float:
    """Let one or more clips follow each other; return where they end (s)."""
    place = turn.place
    if place is None:
        place = Place.NEAR if turn.own else Place(int(rng.integers(2)))
    level_db = rng.uniform(*_LEVELS.get(turn.what, (0.0, 0.0)))
    for index, clip in enumerate(turn.clips):
        wave = heard(clip)
        if turn.what in _LONGEST and len(wave) > (n := round(_LONGEST[turn.what] * RATE)):
            wave = _faded(wave[:n])
        sound = room.uttered(wave) if turn.own else room.spoken(wave, level_db=level_db, place=place)
        begin = at + (rng.uniform(*pause) if index else 0.0)
        at = tape.play(
            sound * _little(rng), begin, turn.what, lasts=len(wave) / RATE, answer=turn.answer, own=turn.own
        )
    return at


def play_radio(
    tape: Tape, room: Room, pools: Pools, *,
    share: float, stretch: tuple[float, float], rng: np.random.Generator,
) -> None:  # fmt: skip
    """For a share of the time people speak over music through a small loudspeaker at the other end."""
    at, voices, music = 0.0, pools.get(VISITOR, ()), pools.get(BACKGROUND, ())
    while at < tape.seconds:
        lasts = min(rng.uniform(*stretch), tape.seconds - at)
        if rng.random() < share and (n := round(lasts * RATE)):
            tune = _scaled(_pcm(_one(music, rng).path)) if music else NOISES["music"][0](n, rng)
            sent = loudspeaker(programme(_turns(voices, rng), n, rng, music=tune), rng)
            tape.play(
                room.spoken(sent, level_db=rng.uniform(*_LEVELS[RADIO]), place=Place.FAR),
                at,
                RADIO,
                lasts=lasts,
            )
        at += lasts


def play_backgrounds(
    tape: Tape, room: Room, pools: Pools, *, stretch: tuple[float, float], rng: np.random.Generator
) -> None:
    """One background after the other: real, made, or none."""
    at, sounds = 0.0, pools.get(BACKGROUND, ())
    while at < tape.seconds:
        n, kind = round(rng.uniform(*stretch) * RATE), rng.random()
        level_db = room.calm_db + rng.uniform(*_LEVELS[BACKGROUND])
        if kind >= _QUIET + _MADE and sounds:
            wave = lasting(_scaled(_pcm(_one(sounds, rng).path)), n, rng)
            tape.play(room.at(wave, level_db), at, BACKGROUND)
        elif kind >= _QUIET:
            make, _ = NOISES[list(NOISES)[int(rng.integers(len(NOISES)))]]
            tape.play(room.at(make(n, rng), level_db), at, BACKGROUND)
        at += n / RATE


def _turns(voices: Sequence[Clip], rng: np.random.Generator) -> Iterator[Wave]:
    """What people of one corpus say on the radio."""
    if not voices:
        return
    corpus = _one(voices, rng).corpus
    speaking = [it for it in voices if it.corpus == corpus]
    while True:
        yield heard(_one(speaking, rng))


def _one(clips: Sequence[Clip], rng: np.random.Generator) -> Clip:
    """A large corpus is drawn from more often than a small one, by the root of its size."""
    of_corpus: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        of_corpus[clip.corpus].append(clip)
    sizes = np.array([len(some) for some in of_corpus.values()]) ** 0.5
    some = list(of_corpus.values())[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
    return some[int(rng.integers(len(some)))]


def _little(rng: np.random.Generator) -> np.float32:
    """People turn their heads: up to 3 dB either way."""
    return np.float32(10 ** (rng.uniform(-3.0, 3.0) / 20))


def _faded(wave: Wave) -> Wave:
    faded = wave.copy()
    fade = np.linspace(0.0, 1.0, min(_FRAME // 2, len(wave)), dtype=np.float32)
    faded[: len(fade)] *= fade
    faded[len(faded) - len(fade) :] *= fade[::-1]
    return faded


def _scaled(pcm: Pcm) -> Wave:
    return pcm.astype(np.float32) / np.float32(_FULL_SCALE)


@lru_cache(maxsize=1024)
def _pcm(path: Path) -> Pcm:
    """Each process decodes what it needs, and the same voices are needed in many homes."""
    return np.concatenate([block.pcm for block in Recording(path).blocks(lambda: False)])


@cache
def _response(path: Path) -> Wave | None:
    return response_of(_scaled(_pcm(path)))


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
