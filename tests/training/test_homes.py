from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vser_stream.core.baseline import Prior
from vser_stream.errors import DataError
from vser_stream.training.corpus import Clip
from vser_stream.training.homes import Model, furnish, listen_all
from vser_stream.values import Label

NOBODY = Model(b"", Prior(*(np.zeros(1, np.float32) for _ in range(3))))


def clips(speaker: str, corpus: str, *, calm: int = 8, panic: int = 4) -> list[Clip]:
    labels = [Label.CALM] * calm + [Label.PANIC] * panic
    names = [f"{speaker}/{index}" for index in range(len(labels))]
    return [
        Clip(name=name, path=Path(name), speaker=speaker, label=label, corpus=corpus)
        for name, label in zip(names, labels, strict=True)
    ]


EVERYBODY = [
    *clips("a0", "one"), *clips("a1", "one"), *clips("a2", "one"), *clips("b0", "two"),
    *clips("quiet", "two", panic=0), *clips("short", "three", calm=6),
]  # fmt: skip


def test_residents_are_taken_from_the_corpora_in_turn() -> None:
    homes = furnish(EVERYBODY, NOBODY, homes=3, seed=0)
    assert [home.corpus for home in homes] == ["one", "two", "one"]


def test_only_speakers_with_enough_calm_and_panic_live_anywhere_and_once() -> None:
    homes = furnish(EVERYBODY, NOBODY, homes=99, seed=0)
    assert sorted(home.resident for home in homes) == ["a0", "a1", "a2", "b0"]
    assert len({home.seed for home in homes}) == 4


def test_the_others_are_other_people_and_calm() -> None:
    for home in furnish(EVERYBODY, NOBODY, homes=99, seed=0):
        others = [clip for said in home.others for clip in said]
        assert {clip.label for clip in others} == {Label.CALM}
        assert home.resident not in {clip.speaker for clip in others}
        assert len(home.others) == 5
        assert {clip.speaker for clip in home.clips} == {home.resident}


def test_the_same_seed_furnishes_the_same_homes() -> None:
    names = [[home.resident for home in furnish(EVERYBODY, NOBODY, homes=3, seed=seed)] for seed in (1, 1)]
    assert names[0] == names[1]


def test_data_without_a_resident_are_named() -> None:
    with pytest.raises(DataError, match="no speaker has 7 calm and 4 panic clips; record more"):
        listen_all([], minutes=1)
