"""Clips as the pipeline hears them in a home: cut by its own segmenter, over whatever else sounds there.

Each speaker is rehearsed alone: the voice on the television is the speaker's own calm one. So a row
belongs to one speaker, and a model that has not heard a speaker has not heard that television either.
Cut by what the segmenter does with them, rows come as windows and as utterances, whole and in pieces.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray

from vser_stream import core
from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.adapters.wavfile import Recording
from vser_stream.core.features.extract import Extractor
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.frames import Framer
from vser_stream.core.quality import quality_of
from vser_stream.core.segment import Segmenter
from vser_stream.core.voice import no_voice
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip
from vser_stream.training.histories import Table
from vser_stream.training.household import NOISES, Wave, television
from vser_stream.training.progress import Progress, silent, tracked
from vser_stream.training.room import Room, Sound, Tape
from vser_stream.training.scenes import trimmed
from vser_stream.values import LABELS, RATE, Block, Label, Pcm, Segment, SegmentKind

__all__ = ["BACKGROUND", "Rehearsal", "rehearsed", "truth"]

_CLIPS = 8
"""Of each label of a speaker, at most."""

_PAUSE = (0.3, 8.0)
"""From one clip to the next (s)."""

_STRETCH = (12.0, 40.0)
"""A background lasts so long (s)."""

_QUIET, _TELEVISION = 0.25, 0.35
"""Shares of the stretches; in the others there is a noise."""

_UNDER_DB: Final = {"television": (6.0, 20.0), "noise": (0.0, 25.0)}
"""How far under the speaker's calm loudness a background is (dB)."""

_WINDOWS = {True: 0.4, False: 0.1}
"""Shares of the windows that are measured, with the speaker in them and without."""

_LEAST_S, _LEAST_SHARE = 0.3, 0.35
"""What the speaker must say in a segment for it to be the speaker's (s, share of it)."""

_MIXED = 0.25
"""Of what is heard most, what of another label may be in it."""

_HARDLY = 0.05
"""Less than that of the speaker in a segment, and it is the background's (s)."""

BACKGROUND = "background"
"""What a segment is that nobody who lives there speaks in."""

_CODE = (
    *(Path(core.__path__[0], name) for name in ("voice.py", "quality.py")),
    *(Path(__file__).with_name(name) for name in ("household.py", "room.py", "scenes.py", "rehearsal.py")),
)
"""What a row depends on, beside what the feature cache knows of."""


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """Rows that were heard in homes; every array has the length n_rows."""

    table: Table
    """Labelled calm where only the background was heard."""

    own: NDArray[np.bool_]
    """The speaker speaks in it."""

    rooms: NDArray[np.str_]
    """The speaker, and in which room."""

    def of(self, speakers: NDArray[np.str_]) -> Rehearsal:
        """The rows of some speakers."""
        kept = np.isin(self.table.speakers, speakers)
        return self.where(kept)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Rehearsal:
        """The rows of a mask or of an index."""
        return Rehearsal(self.table.where(kept), self.own[kept], self.rooms[kept])


def rehearsed(
    clips: Sequence[Clip],
    cache: FeatureCache,
    *,
    takes: int,
    seed: int,
    processes: int = 2,
    progress: Progress = silent,
) -> Rehearsal:
    """Rehearse every speaker who has calm clips, each take in another room; computed once.

    Raises:
        AudioError: A recording cannot be read.
    """
    of_speaker: dict[str, list[Clip]] = {}
    for clip in clips:
        of_speaker.setdefault(clip.speaker, []).append(clip)
    whole = [said for _, said in sorted(of_speaker.items()) if any(it.label is Label.CALM for it in said)]
    casts = [(said, take) for take in range(takes) for said in whole]
    folder = cache.beside(_CODE, name="rehearsals")
    jobs = (joblib.delayed(_cached)(said, folder, [seed, take]) for said, take in casts)
    done = joblib.Parallel(n_jobs=processes, return_as="generator")(jobs)
    parts = list(tracked(done, "rehearsals", total=len(casts), progress=progress))
    counts = [len(part["y"]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in ("features", "y", "own")}
    return Rehearsal(
        Table(
            columns["features"],
            columns["y"],
            speakers=np.repeat([said[0].speaker for said, _ in casts], counts),
            corpora=np.repeat([said[0].corpus for said, _ in casts], counts),
        ),
        columns["own"],
        rooms=np.repeat([f"{said[0].speaker} {take}" for said, take in casts], counts),
    )


def truth(segment: Segment, sounds: Sequence[Sound]) -> str | None:
    """Return the label of what is heard in a segment, or :data:`BACKGROUND`; None if that is not clear."""
    start, end = segment.onset / RATE, segment.end / RATE
    said = dict.fromkeys(LABELS, 0.0)
    for sound in sounds:
        if sound.what in said:
            said[Label(sound.what)] += max(0.0, min(end, sound.end) - max(start, sound.start))
    *_, other, (most, label) = sorted((seconds, label) for label, seconds in said.items())
    if most < _HARDLY:
        return BACKGROUND
    clear = most >= max(_LEAST_S, _LEAST_SHARE * (end - start)) and other[0] <= _MIXED * most
    return label.value if clear else None


def _cached(said: Sequence[Clip], folder: Path, seed: Sequence[int]) -> dict[str, NDArray[Any]]:
    key = hashlib.sha256(f"{seed}".encode())
    for clip in said:
        key.update(clip.label.encode() + clip.path.read_bytes())
    file = folder / f"{key.hexdigest()}.npz"
    if not file.exists():
        rows = _rehearse(said, np.random.default_rng([*seed, int(key.hexdigest()[:8], 16)]))
        scratch = file.with_suffix(f".{os.getpid()}.npz")
        np.savez(scratch, features=rows["features"], y=rows["y"], own=rows["own"])
        scratch.replace(file)
    with np.load(file) as rows:
        return dict(rows)


def _rehearse(said: Sequence[Clip], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    tape, room = _tape(said, rng)
    extractor = Extractor(SwiftF0Tracker())
    vectors, labels = [], []
    for segment in _segments(room.recorded(tape.wave, rng)):
        label = truth(segment, tape.sounds)
        share = _WINDOWS[label != BACKGROUND] if segment.kind is SegmentKind.WINDOW else 1.0
        if label is None or rng.random() >= share or quality_of(segment).too_noisy:
            continue
        vector = extractor.extract(segment)
        if no_voice(vector) is None:
            vectors.append(vector)
            labels.append(label)
    return {
        "features": np.array(vectors, np.float32).reshape(len(vectors), len(FEATURES)),
        "y": np.array(
            [0 if label == BACKGROUND else LABELS.index(Label(label)) for label in labels], np.int64
        ),
        "own": np.array([label != BACKGROUND for label in labels], np.bool_),
    }


def _segments(pcm: Pcm) -> Iterator[Segment]:
    segmenter, detector = Segmenter(), WebRtcVad()
    for frame in Framer().feed(Block(pcm=pcm, start=0, heard_at=0.0)):
        yield from segmenter.feed(frame, is_speech=detector.is_speech(frame.pcm))
    yield from segmenter.flush()


def _tape(said: Sequence[Clip], rng: np.random.Generator) -> tuple[Tape, Room]:
    """The speaker's clips one after the other, over one background after the other."""
    waves = {
        label: [trimmed(_pcm(clip.path)) for clip in _drawn([it for it in said if it.label is label], rng)]
        for label in LABELS
    }
    room = Room.drawn(waves[Label.CALM], rng)
    turns = [(label, wave) for label, some in waves.items() for wave in some]
    plays, at = [], 1.0
    for index in rng.permutation(len(turns)):
        label, wave = turns[int(index)]
        plays.append((label, wave, at))
        at += len(wave) / RATE + rng.uniform(*_PAUSE)
    tape = Tape(np.zeros(round((at + 1.0) * RATE), np.float32))
    for label, wave, start in plays:
        tape.play(room.uttered(wave), start, label.value, lasts=len(wave) / RATE)
    _play_backgrounds(tape, room, waves[Label.CALM], rng)
    return tape, room


def _play_backgrounds(tape: Tape, room: Room, calm: Sequence[Wave], rng: np.random.Generator) -> None:
    at = 0.0
    while at < tape.seconds:
        n, kind = round(rng.uniform(*_STRETCH) * RATE), rng.random()
        if kind < _TELEVISION:
            tape.play(
                room.at(television(calm, n, rng), room.calm_db - rng.uniform(*_UNDER_DB["television"])),
                at,
                "television",
            )
        elif kind < 1.0 - _QUIET:
            name = list(NOISES)[int(rng.integers(len(NOISES)))]
            tape.play(
                room.at(NOISES[name][0](n, rng), room.calm_db - rng.uniform(*_UNDER_DB["noise"])), at, name
            )
        at += n / RATE


def _drawn(clips: Sequence[Clip], rng: np.random.Generator) -> list[Clip]:
    return [clips[int(index)] for index in rng.permutation(len(clips))[:_CLIPS]]


def _pcm(path: Path) -> Pcm:
    return np.concatenate([block.pcm for block in Recording(path).blocks(lambda: False)])
