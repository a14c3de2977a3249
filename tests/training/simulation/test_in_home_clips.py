from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.corpora import write_corpus, write_sounds
from support.decisions import decision

from vser_stream.core.audio.quality import LEAST_SNR_DB
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import DataError
from vser_stream.training.data.corpus import Clip, read_corpora, sides_of
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.data.sound_kinds import Answer, Role
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run
from vser_stream.training.simulation.in_home_clips import SIDES, Rehearsal, Truth, rehearsed, truth
from vser_stream.training.simulation.room import Sound
from vser_stream.values import ANSWERS, RATE, Segment, Vector

LEVEL = FEATURES.index("level_p95")

SEGMENT = replace(decision(calm=0.9).segment, start=0, onset=0, end=4 * RATE)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    people = write_corpus(tmp_path_factory.mktemp("people"), speakers=2, clips=6)
    # As many sounds of each kind as there are sides, dealt evenly: each side has one.
    return read_corpora([people, write_sounds(tmp_path_factory.mktemp("sounds"), each=2 * SIDES)])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), processes=1)


def run_of(cache: FeatureCache, *, takes: int, seed: int = 0) -> Run:
    return Run(Recipe(takes=takes), seed, cache, processes=1)


@pytest.fixture(scope="module")
def rehearsal(clips: tuple[Clip, ...], cache: FeatureCache) -> Rehearsal:
    return rehearsed(clips, run_of(cache, takes=2))


def sound(what: str, start: float, end: float) -> Sound:
    answers = {"panic": Answer.PANIC, "resident": Answer.CALM, "visitor": Answer.CALM, "angry": Answer.ANGRY}
    return Sound(what, start, end, answers.get(what), own=what not in {"visitor", "radio"})


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        ([("panic", 0.5, 3.5)], Truth("panic", Answer.PANIC, own=True)),
        ([("resident", 0.0, 1.5), ("radio", 0.0, 4.0)], Truth("resident", Answer.CALM, own=True)),
        ([("resident", 0.0, 1.5), ("visitor", 1.5, 4.0)], Truth("visitor", Answer.CALM)),
        ([("panic", 0.0, 3.0), ("resident", 3.0, 3.5)], Truth("panic", Answer.PANIC, own=True)),
        ([("panic", 0.0, 2.0), ("resident", 2.0, 4.0)], None),
        ([("angry", 3.5, 5.0)], None),
        ([("radio", 0.0, 4.0), ("panic", 4.0, 6.0)], Truth("radio", Answer.OTHER)),
        ([("radio", 3.0, 9.0)], Truth("background", Answer.OTHER)),
        ([], Truth("background", Answer.OTHER)),
    ],
    ids=[
        "one voice", "over a radio", "two who are calm", "a little of another", "half of another", "hardly",
        "a radio", "hardly a radio", "no",
    ],
)  # fmt: skip
def test_a_segment_is_what_is_clearly_heard_most_in_it(
    sounds: list[tuple[str, float, float]], expected: Truth | None
) -> None:
    assert truth(SEGMENT, [sound(*it) for it in sounds]) == expected


def test_everything_is_heard_and_each_home_is_of_one_speaker_on_one_side(
    clips: tuple[Clip, ...], rehearsal: Rehearsal
) -> None:
    sides = sides_of(clips, SIDES)
    assert sorted(set(rehearsal.rooms)) == ["s0 0", "s0 1", "s1 0", "s1 1"]
    for room, who, side in zip(rehearsal.rooms, rehearsal.table.speakers, rehearsal.sides, strict=True):
        assert room.split()[0] == who
        assert sides[who] == side
    assert set(rehearsal.whats) >= {"resident", "angry", "panic", "visitor", "look-alike", "scream"}
    assert set(rehearsal.kinds) == {"window", "utterance"}
    assert np.isfinite(rehearsal.table.features).all()


def test_a_row_says_what_it_is_inside_and_outside(rehearsal: Rehearsal) -> None:
    inside = {
        "resident": ("calm", "calm"), "angry": ("angry", "angry"), "panic": ("panic", "panic"),
        "visitor": ("calm", "calm"), "look-alike": ("other", "calm"), "scream": ("scream", "panic"),
        "radio": ("other", "calm"), "background": ("other", "calm"),
    }  # fmt: skip
    for what, answer, label, own in zip(
        rehearsal.whats, rehearsal.answers, rehearsal.table.y, rehearsal.own, strict=True
    ):
        assert (ANSWERS[answer], ANSWERS[label]) == inside[what]
        assert own == (what in {"resident", "angry", "panic"})


def test_no_recording_is_heard_on_two_sides(clips: tuple[Clip, ...]) -> None:
    for side in range(SIDES):
        moved = [it for it in clips if sides_of(clips, SIDES)[it.person] == side]
        kinds = {it.role for it in moved}
        assert kinds >= {Role.NATURAL, Role.SCREAM, Role.LOOK_ALIKE, Role.BACKGROUND, Role.IMPULSE}


def test_a_home_changes_with_what_is_on_its_own_side_and_with_nothing_else(
    clips: tuple[Clip, ...], cache: FeatureCache, rehearsal: Rehearsal
) -> None:
    sides = sides_of(clips, SIDES)
    screams = [it for it in clips if it.role is Role.SCREAM]
    here = next(it for it in screams if sides[it.person] == sides["s0"])
    before = rehearsal.where(rehearsal.rooms == "s0 0").table.features
    for changed in (here, next(it for it in screams if sides[it.person] not in {sides["s0"], sides["s1"]})):
        told = [replace(it, path=clips[0].path) if it is changed else it for it in clips]
        found = rehearsed(told, run_of(cache, takes=1))
        now = found.where(found.rooms == "s0 0").table.features
        assert np.array_equal(now, before) is (changed is not here)


def test_a_second_listener_hears_the_speech_of_each_row(
    clips: tuple[Clip, ...], cache: FeatureCache, rehearsal: Rehearsal
) -> None:
    heard = rehearsed(clips, run_of(cache, takes=1), by=Lengths())
    first = rehearsal.where(np.char.endswith(rehearsal.rooms, " 0"))
    assert np.array_equal(heard.table.features, first.table.features)
    assert rehearsal.looks.shape == (len(rehearsal.own), 0)
    seconds, level = heard.looks.T
    assert np.allclose(seconds, np.diff(heard.spans)[:, 0] / RATE)
    # Loud speech has loud samples: the listener was given the right ones.
    assert np.corrcoef(level, heard.table.features[:, LEVEL])[0, 1] > 0.8


def test_rows_of_a_home_are_in_the_order_in_which_they_ended(rehearsal: Rehearsal) -> None:
    for room in set(rehearsal.rooms):
        ends = rehearsal.spans[rehearsal.rooms == room, 1]
        assert len(ends) > 5
        assert (np.diff(ends) >= -RATE // 2).all()
    assert (rehearsal.snr_db >= LEAST_SNR_DB).all()


def test_a_person_of_whom_nothing_can_be_heard_is_left_out(
    clips: tuple[Clip, ...], cache: FeatureCache
) -> None:
    with pytest.raises(DataError, match="nobody who is angry or in panic"):
        rehearsed([it for it in clips if it.role is not Role.VOICE], run_of(cache, takes=1))


class Lengths:
    """Measures how long speech is (s), and how loud (dB)."""

    name = digest = "lengths"

    def opened(self) -> Callable[[Segment], Vector]:
        def measure(segment: Segment) -> Vector:
            said = segment.pcm[segment.onset - segment.start : segment.end - segment.start].astype(np.float64)
            return np.array([len(said) / RATE, 10 * np.log10(np.mean(said**2) + 1)], np.float32)

        return measure


def test_the_rows_of_some_speakers_are_all_theirs(rehearsal: Rehearsal) -> None:
    theirs = rehearsal.of(np.array(["s1"]))
    assert set(theirs.table.speakers) == {"s1"}
    assert (
        len(theirs.table) == len(theirs.own) == len(theirs.rooms) == np.sum(rehearsal.table.speakers == "s1")
    )


def test_what_was_rehearsed_is_kept_and_the_seed_makes_other_rooms(
    clips: tuple[Clip, ...], cache: FeatureCache, rehearsal: Rehearsal
) -> None:
    before = {path: path.stat().st_mtime_ns for path in files(cache)}
    again = rehearsed(clips, run_of(cache, takes=2))
    assert np.array_equal(again.table.features, rehearsal.table.features)
    assert {path: path.stat().st_mtime_ns for path in files(cache)} == before
    other = rehearsed(clips, run_of(cache, takes=1, seed=1))
    assert len(files(cache)) == len(before) + 2
    assert not np.array_equal(other.table.features[:1], rehearsal.table.features[:1])


def files(cache: FeatureCache) -> list[Path]:
    return sorted(cache.beside(name="rehearsals").parent.rglob("*.npz"))
