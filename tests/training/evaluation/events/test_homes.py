from __future__ import annotations

from pathlib import Path

import pytest

from vser_stream.errors import DataError
from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.data.sound_kinds import Answer, Role
from vser_stream.training.evaluation.events.homes import NOBODY, furnish, furnish_quiet, listen_all
from vser_stream.training.run import Run
from vser_stream.training.simulation.scenes import Hours


def clips(speaker: str, corpus: str, *, calm: int = 8, panic: int = 4) -> list[Clip]:
    answers = [Answer.CALM] * calm + [Answer.PANIC] * panic
    names = [f"{speaker}/{index}" for index in range(len(answers))]
    return [
        Clip(name=name, path=Path(name), speaker=speaker, answer=answer, corpus=corpus)
        for name, answer in zip(names, answers, strict=True)
    ]


EVERYBODY = [
    *clips("a0", "one"), *clips("a1", "one"), *clips("a2", "one"), *clips("b0", "two"),
    *clips("quiet", "two", panic=0), *clips("short", "three", calm=4),
]  # fmt: skip


def test_residents_are_taken_from_the_corpora_in_turn() -> None:
    homes = furnish(EVERYBODY, NOBODY, homes=3, seed=0)
    assert [home.corpus for home in homes] == ["one", "two", "one"]


def test_only_speakers_with_enough_calm_and_panic_live_anywhere_and_once() -> None:
    homes = furnish(EVERYBODY, NOBODY, homes=99, seed=0)
    assert sorted(home.resident for home in homes) == ["a0", "a1", "a2", "b0"]
    assert len({home.seed for home in homes}) == 4


def test_people_of_one_corpus_only_may_live_there_among_all() -> None:
    homes = furnish(EVERYBODY, NOBODY, homes=99, seed=0, corpus="one")
    assert sorted(home.resident for home in homes) == ["a0", "a1", "a2"]
    assert all(sum(map(len, home.around.clips.values())) == len(EVERYBODY) for home in homes)


def test_a_home_is_of_one_resident_among_all_that_was_not_heard() -> None:
    for home in furnish(EVERYBODY, NOBODY, homes=99, seed=0):
        assert {clip.speaker for clip in home.clips} == {home.resident}
        assert sum(map(len, home.around.clips.values())) == len(EVERYBODY)


def test_quiet_hours_are_of_those_who_talk_naturally() -> None:
    quiet = furnish_quiet(EVERYBODY, NOBODY, homes=2, seed=0)
    assert [home.hours for home in quiet] == [
        Hours.TALK, Hours.TALK, Hours.MEETING, Hours.MEETING, Hours.RADIO, Hours.RADIO,
    ]  # fmt: skip
    assert len({home.seed for home in quiet}) == 6
    nobody = [clip for clip in EVERYBODY if clip.answer is not Answer.CALM and clip.role is Role.VOICE]
    assert furnish_quiet(nobody, NOBODY, homes=2, seed=0) == []


def test_the_same_seed_furnishes_the_same_homes() -> None:
    names = [[home.resident for home in furnish(EVERYBODY, NOBODY, homes=3, seed=seed)] for seed in (1, 1)]
    assert names[0] == names[1]


def test_data_without_a_resident_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no speaker has 5 calm and 3 panic clips; record more"):
        listen_all([], Run(cache=FeatureCache(tmp_path)), minutes=1)
