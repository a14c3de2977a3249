"""Clips as the pipeline hears them in a home: cut by its own segmenter, over whatever else sounds there.

Everybody who is ever angry or in panic is rehearsed: a minute or two with what they say, visitors,
laughter, screams, a radio and appliances. People and sounds are dealt to sides, and a home is made of one
side only: a model that has learned other sides has heard nothing of it. Cut by what the segmenter does with
them, rows come as windows and as utterances, whole and in pieces.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.audio.framing import Framer
from vser_stream.core.audio.quality import quality_of
from vser_stream.core.audio.segment import Segmenter
from vser_stream.core.audio.voice_gate import no_voice
from vser_stream.core.features.extract import Extractor
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import DataError
from vser_stream.training.data.corpus import Clip, sides_of
from vser_stream.training.data.feature_cache import Measure
from vser_stream.training.data.histories import Table
from vser_stream.training.data.sound_kinds import OUTSIDE, Answer, Role
from vser_stream.training.progress import tracked
from vser_stream.training.run import Run
from vser_stream.training.simulation.room import Room, Sound, Tape
from vser_stream.training.simulation.surroundings import (
    BACKGROUND,
    LIVELY,
    LOOK_ALIKE,
    RADIO,
    RESIDENT,
    SCREAM,
    VISITOR,
    Surroundings,
    Turn,
    heard,
    play_backgrounds,
    play_radio,
    play_turn,
    turn_of,
)
from vser_stream.values import ANSWERS, LABELS, RATE, Block, Pcm, Segment, SegmentKind

__all__ = ["SIDES", "Rehearsal", "Truth", "rehearsed", "truth"]

SIDES = 5
"""As many as there are folds."""

_CLIPS: Final = {Answer.CALM: 4, Answer.ANGRY: 4, Answer.PANIC: 4, Answer.OTHER: 2}
"""Of a person in one take, at most; the next take has the next ones."""

_OTHERS: Final = {VISITOR: 1, LIVELY: 1, LOOK_ALIKE: 2, SCREAM: 2}
"""Turns of others in one take."""

_WHATS: Final = {
    Answer.CALM: RESIDENT, Answer.ANGRY: "angry", Answer.PANIC: "panic", Answer.OTHER: LIVELY,
}  # fmt: skip

_PAUSE, _WITHIN = (0.4, 5.0), (0.1, 1.5)
"""From one turn to the next, and from clip to clip in one (s)."""

_STRETCH = (12.0, 60.0)
"""A background, or the radio, lasts so long (s)."""

_RADIO = 0.35
"""Share of the time."""

_LONGEST = 300
"""Of a rehearsal; what does not fit is not heard (s)."""

_KEPT: Final = {
    SegmentKind.WINDOW: {True: 0.4, False: 0.1},
    SegmentKind.UTTERANCE: {True: 1.0, False: 1.0},
}
"""Shares that are measured, with somebody in them and with only a background: all that a source would judge,
but for windows."""

_LEAST_S, _LEAST_SHARE = 0.3, 0.35
"""What must be heard in a segment for it to be told what it is (s, share of it)."""

_MIXED = 0.25
"""Of what is heard most, what of another answer may be in it."""

_HARDLY = 0.05
"""Less than that in a segment, and it is the background's (s)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a segment is."""

    what: str
    answer: Answer
    own: bool = False
    """The one who lives there speaks."""


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """Rows that were heard in homes; every array has the length n_rows."""

    table: Table
    """Of those who live there; labelled as outside: what is none of the three is calm, a scream is panic."""

    answers: NDArray[np.int64]
    """What the classifier should say: indices into ``ANSWERS``, shape (n_rows,)."""

    whats: NDArray[np.str_]
    """``resident``, ``angry``, ``panic``, ``lively``, ``visitor``, ``look-alike``, ``scream``, ``radio`` or
    ``background``, shape (n_rows,)."""

    own: NDArray[np.bool_]
    """Whether the one who lives there speaks in it, shape (n_rows,)."""

    kinds: NDArray[np.str_]
    """``window`` or ``utterance``, shape (n_rows,)."""

    spans: NDArray[np.int64]
    """Where in its home each begins and ends, in the order in which they ended there; shape (n_rows, 2)."""

    snr_db: NDArray[np.float32]
    """Level of its speech over the noise floor (dB), shape (n_rows,)."""

    rooms: NDArray[np.str_]
    """Who lives there, and in which room; shape (n_rows,)."""

    sides: NDArray[np.int64]
    """Of all that is in it, shape (n_rows,): people and sounds of one side are on no other."""

    looks: NDArray[np.float32]
    """What else each row was measured by, shape (n_rows, n_values); (n_rows, 0) where by nothing."""

    def of(self, speakers: NDArray[np.str_]) -> Rehearsal:
        """The rows of the homes of some speakers."""
        return self.where(np.isin(self.table.speakers, speakers))

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Rehearsal:
        """The rows of a mask or of an index."""
        return Rehearsal(
            self.table.where(kept),
            **{name: getattr(self, name)[kept] for name in (*_COLUMNS, "rooms", "sides")},
        )


_COLUMNS = ("answers", "whats", "own", "kinds", "spans", "snr_db", "looks")
"""Of a cached part, beside its features."""


def rehearsed(clips: Sequence[Clip], run: Run, *, by: Measure | None = None) -> Rehearsal:
    """Rehearse everybody who is angry or in panic, each take in another room; computed once.

    Args:
        clips: All there is to hear.
        run: Its recipe tells how many takes there are of each person; rows are kept beside its features.
        by: What every row is measured by, too.

    Raises:
        AudioError: A recording cannot be read.
        DataError: Nobody can be heard.
    """
    casts = [(cast, take) for cast in _casts(clips) for take in range(run.recipe.takes)]
    folder = run.cache.beside(_casts, _cached, name="rehearsals")
    jobs = (joblib.delayed(_cached)(cast, folder, (run.seed, take), by) for cast, take in casts)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    made = list(tracked(done, "rehearsals", total=len(casts), progress=run.progress))
    heard_of = [(one, part) for one, part in zip(casts, made, strict=True) if len(part["answers"])]
    casts, parts = [one for one, _ in heard_of], [part for _, part in heard_of]
    if not parts:
        raise DataError("nobody who is angry or in panic can be heard; record more speakers")
    counts = [len(part["answers"]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    outside = np.array([LABELS.index(OUTSIDE[answer]) for answer in Answer])
    return Rehearsal(
        Table(
            columns["features"],
            outside[columns["answers"]],
            speakers=np.repeat([cast.person for cast, _ in casts], counts),
            corpora=np.repeat([cast.corpus for cast, _ in casts], counts),
        ),
        **{name: columns[name] for name in _COLUMNS},
        rooms=np.repeat([f"{cast.person} {take}" for cast, take in casts], counts),
        sides=np.repeat([cast.side for cast, _ in casts], counts),
    )


def truth(segment: Segment, sounds: Sequence[Sound]) -> Truth | None:
    """Return what is heard in a segment; None if that is not clear."""
    start, end = segment.onset / RATE, segment.end / RATE
    seconds: dict[Truth, float] = defaultdict(float)
    behind: dict[str, float] = defaultdict(float)
    for sound in sounds:
        both = max(0.0, min(end, sound.end) - max(start, sound.start))
        if sound.answer is None:
            behind[sound.what] += both
        elif both:
            seconds[Truth(sound.what, sound.answer, sound.own)] += both
    if sum(seconds.values()) < _HARDLY:
        return Truth(RADIO if behind[RADIO] >= (end - start) / 2 else BACKGROUND, Answer.OTHER)
    most = max(seconds, key=lambda it: seconds[it])
    rest = sum(some for it, some in seconds.items() if it.answer is not most.answer)
    clear = seconds[most] >= max(_LEAST_S, _LEAST_SHARE * (end - start)) and rest <= _MIXED * seconds[most]
    return most if clear else None


@dataclass(frozen=True, slots=True, eq=False)
class _Cast:
    """Somebody, and all that may be heard around."""

    person: str
    said: tuple[Clip, ...]
    side: int
    around: Surroundings
    key: str
    """Of all recordings."""

    @property
    def corpus(self) -> str:
        """Of the calm, angry or frightened speech; other speech of the same people may be in another."""
        return next(clip.corpus for clip in self.said if clip.answer is not Answer.OTHER)


def _casts(clips: Sequence[Clip]) -> list[_Cast]:
    sides = sides_of(clips, SIDES)
    arounds = [
        Surroundings.of([clip for clip in clips if sides[clip.person] == side]) for side in range(SIDES)
    ]
    keys = [around.key for around in arounds]
    said: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.role is Role.VOICE:
            said[clip.speaker].append(clip)
    return [
        _Cast(person, tuple(theirs), side := sides[theirs[0].person], arounds[side], keys[side])
        for person, theirs in sorted(said.items())
        if any(clip.answer in {Answer.ANGRY, Answer.PANIC} for clip in theirs)
    ]


def _cached(cast: _Cast, folder: Path, seed: tuple[int, int], by: Measure | None) -> dict[str, NDArray[Any]]:
    key = hashlib.sha256(f"{seed} {cast.person} {cast.key}".encode()).hexdigest()
    file = folder / f"{key}.npz"
    rng = [*seed, int(key[:8], 16)]
    if not file.exists():
        _save(file, _rehearse(cast, seed[1], np.random.default_rng(rng)))
    with np.load(file) as stored:
        rows = dict(stored)
    looks = np.zeros((len(rows["answers"]), 0), np.float32)
    if by is not None and len(looks):
        beside = folder / f"{key}.{by.digest[:16]}.npz"
        if not beside.exists():
            pcm, _ = _recorded(cast, seed[1], np.random.default_rng(rng))
            measure = by.opened()
            _save(beside, {"looks": np.array([measure(_cut(pcm, row)) for row in rows["spans"]], np.float32)})
        with np.load(beside) as stored:
            looks = stored["looks"]
    return rows | {"looks": looks}


def _cut(pcm: Pcm, span: NDArray[np.int64]) -> Segment:
    """The speech of a row once more."""
    onset, end = span.tolist()
    return Segment(
        SegmentKind.UTTERANCE, pcm[onset:end].copy(), onset, onset, end, heard_at=0.0, floor_db=0.0
    )


def _rehearse(cast: _Cast, take: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    pcm, sounds = _recorded(cast, take, rng)
    extractor = Extractor(SwiftF0Tracker())
    rows: list[tuple[Segment, Truth, NDArray[np.float32]]] = []
    ratios: list[float] = []
    for segment in _segments(pcm):
        told = truth(segment, sounds)
        quality = quality_of(segment)
        if told is None or quality.too_noisy:
            continue
        if rng.random() >= _KEPT[segment.kind][told.what not in {RADIO, BACKGROUND}]:
            continue
        vector = extractor.extract(segment)
        if no_voice(vector) is None:
            rows.append((segment, told, vector))
            ratios.append(quality.snr_db)
    return {
        "features": np.array([vector for _, _, vector in rows], np.float32).reshape(len(rows), len(FEATURES)),
        "answers": np.array([ANSWERS.index(told.answer) for _, told, _ in rows], np.int64),
        "whats": np.array([told.what for _, told, _ in rows], np.str_),
        "own": np.array([told.own for _, told, _ in rows], np.bool_),
        "kinds": np.array([segment.kind.value for segment, _, _ in rows], np.str_),
        "snr_db": np.array(ratios, np.float32),
        "spans": np.array([(segment.onset, segment.end) for segment, _, _ in rows], np.int64).reshape(-1, 2),
    }


def _segments(pcm: Pcm) -> Iterator[Segment]:
    segmenter, detector = Segmenter(), WebRtcVad()
    for frame in Framer().feed(Block(pcm=pcm, start=0, heard_at=0.0)):
        yield from segmenter.feed(frame, is_speech=detector.is_speech(frame.pcm))
    yield from segmenter.flush()


def _recorded(cast: _Cast, take: int, rng: np.random.Generator) -> tuple[Pcm, list[Sound]]:
    """One turn after the other, over one background after the other."""
    said = {answer: [it for it in cast.said if it.answer is answer] for answer in _WHATS}
    calm = said[Answer.CALM] or list(cast.said)
    room = Room.drawn([heard(clip) for clip in calm[:8]], rng, responses=cast.around.responses())
    pools = cast.around.pools(cast.person, {clip.corpus for clip in cast.said})
    others = [what for what, count in _OTHERS.items() if what in pools for _ in range(count)]
    turns = [*_own(said, take, rng), *(turn_of(what, pools, rng) for what in others)]
    tape, at = Tape(np.zeros(_LONGEST * RATE, np.float32)), 1.0
    for index in rng.permutation(len(turns)):
        end = play_turn(tape, room, turns[int(index)], at, pause=_WITHIN, rng=rng)
        at = end + rng.uniform(*_PAUSE)
    tape = Tape(tape.wave[: round((at + 1.0) * RATE)], tape.sounds)
    play_backgrounds(tape, room, pools, stretch=_STRETCH, rng=rng)
    play_radio(tape, room, pools, share=_RADIO, stretch=_STRETCH, rng=rng)
    return room.recorded(tape.wave, rng), tape.sounds


def _own(said: dict[Answer, list[Clip]], take: int, rng: np.random.Generator) -> Iterator[Turn]:
    """Calm and lively clips alone, of an outburst some in a row; in each take the next clips."""
    for answer, clips in said.items():
        count = min(len(clips), _CLIPS[answer])
        chosen = [clips[(take * count + index) % len(clips)] for index in range(count)]
        while chosen:
            size = 1 if answer in {Answer.CALM, Answer.OTHER} else int(rng.integers(1, 4))
            yield Turn(_WHATS[answer], answer, tuple(chosen[:size]), own=True)
            chosen = chosen[size:]


def _save(file: Path, rows: dict[str, Any]) -> None:
    """Two trainings may write the same file at once."""
    scratch = file.with_suffix(f".{os.getpid()}.npz")
    np.savez(scratch, **rows)
    scratch.replace(file)
