from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.corpora import write_corpus
from support.decisions import decision

from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip, read_manifest
from vser_stream.training.histories import CALM
from vser_stream.training.rehearsal import BACKGROUND, Rehearsal, rehearsed, truth
from vser_stream.training.room import Sound
from vser_stream.values import RATE

SEGMENT = replace(decision(calm=0.9).segment, start=0, onset=0, end=4 * RATE)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    return read_manifest(write_corpus(tmp_path_factory.mktemp("corpus"), speakers=2, clips=6))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), processes=1)


@pytest.fixture(scope="module")
def rehearsal(clips: tuple[Clip, ...], cache: FeatureCache) -> Rehearsal:
    return rehearsed(clips, cache, takes=2, seed=0, processes=1)


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        ([("panic", 0.5, 3.5)], "panic"),
        ([("calm", 0.0, 1.5), ("television", 0.0, 4.0)], "calm"),
        ([("panic", 0.0, 3.0), ("calm", 3.0, 3.5)], "panic"),
        ([("panic", 0.0, 2.0), ("calm", 2.0, 4.0)], None),
        ([("angry", 3.5, 5.0)], None),
        ([("television", 0.0, 4.0), ("panic", 4.0, 6.0)], BACKGROUND),
        ([], BACKGROUND),
    ],
    ids=[
        "one voice",
        "over a television",
        "a little of another",
        "half of another",
        "hardly",
        "after it",
        "no",
    ],
)
def test_a_segment_is_what_is_clearly_heard_most_in_it(
    sounds: list[tuple[str, float, float]], expected: str | None
) -> None:
    assert truth(SEGMENT, [Sound(*it) for it in sounds]) == expected


def test_every_label_is_heard_in_every_room_and_each_row_belongs_to_one_speaker(rehearsal: Rehearsal) -> None:
    assert sorted(set(rehearsal.rooms)) == ["s0 0", "s0 1", "s1 0", "s1 1"]
    assert all(
        room.split()[0] == who for room, who in zip(rehearsal.rooms, rehearsal.table.speakers, strict=True)
    )
    for room in np.unique(rehearsal.rooms):
        assert set(rehearsal.table.y[(rehearsal.rooms == room) & rehearsal.own]) == {0, 1, 2}


def test_what_is_only_background_is_calm(rehearsal: Rehearsal) -> None:
    assert (rehearsal.table.y[~rehearsal.own] == CALM).all()
    assert np.isfinite(rehearsal.table.features).all()


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
    again = rehearsed(clips, cache, takes=2, seed=0, processes=1)
    assert np.array_equal(again.table.features, rehearsal.table.features)
    assert {path: path.stat().st_mtime_ns for path in files(cache)} == before
    other = rehearsed(clips, cache, takes=1, seed=1, processes=1)
    assert len(files(cache)) == 6
    assert not np.array_equal(other.table.features[:1], rehearsal.table.features[:1])


def files(cache: FeatureCache) -> list[Path]:
    return sorted(cache.beside((), name="rehearsals").parent.rglob("*.npz"))
