from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.tables import invented, invented_homes

from vser_stream.training.classifier.material import Material
from vser_stream.training.simulation.in_home_clips import Rehearsal

TABLE = invented(speakers=12, clips=2)
SIDES = np.unique(TABLE.speakers, return_inverse=True)[1] % 3


def lively(*, sides: int = 3) -> Rehearsal:
    """Clips of people who live there (s00 to s11) on their sides, and of as many nobody else hears."""
    homes = invented_homes(sides=sides, width=4)
    of_others = np.arange(len(homes.answers)) % 2 == 1
    names = np.where(of_others, np.char.add("x", homes.table.speakers), homes.table.speakers)
    return replace(homes, table=replace(homes.table, speakers=names))


@pytest.fixture
def material() -> Material:
    heard = np.arange(len(TABLE), dtype=np.float32)[:, np.newaxis]
    return Material(
        TABLE,
        (TABLE,),
        invented_homes(sides=3, width=4),
        lively=lively(),
        sides=SIDES,
        embeddings=(heard, -heard),
    )


def test_of_a_side_that_is_lost_nobody_and_nothing_is_kept(material: Material) -> None:
    some = material.where(np.flatnonzero(SIDES != 1))
    assert some.sides is not None
    assert some.rehearsal is not None
    assert some.lively is not None
    for sides in (some.sides, some.rehearsal.sides, some.lively.sides):
        assert sorted(set(sides.tolist())) == [0, 2]
    assert len(some.lively.answers) == 2 / 3 * len(lively().answers)


def test_lively_speech_of_people_who_are_left_out_is_gone_and_of_others_it_stays(material: Material) -> None:
    some = material.where(np.flatnonzero(TABLE.speakers != "s04"))
    assert some.rehearsal is not None
    assert some.lively is not None
    assert material.lively is not None
    assert "s04" not in some.rehearsal.table.speakers
    kept = set(material.lively.table.speakers.tolist()) - {"s04"}
    assert set(some.lively.table.speakers.tolist()) == kept
    assert "xs04" in kept


def test_a_few_clips_of_somebody_keep_all_that_is_heard_of_them(material: Material) -> None:
    some = material.where(np.flatnonzero(TABLE.y == 0))
    assert some.rehearsal is not None
    assert some.lively is not None
    assert len(some.rehearsal.answers) == len(invented_homes().answers)
    assert len(some.lively.answers) == len(lively().answers)


def test_what_was_heard_of_a_clip_goes_with_it(material: Material) -> None:
    clips = np.array([7, 3, 20])
    some = material.where(clips)
    assert some.embedded(0)[:, 0].tolist() == [7, 3, 20]
    assert some.embedded(1)[:, 0].tolist() == [-7, -3, -20]
    assert np.array_equal(some.clean.features, TABLE.features[clips])
    assert some.sides is not None
    assert some.sides.tolist() == SIDES[clips].tolist()
    assert some.without_looks.embedded(0).shape == (3, 0)


def test_every_table_is_changed(material: Material) -> None:
    changed = material.mapped(lambda table: replace(table, features=table.features * 0))
    assert changed.rehearsal is not None
    assert changed.lively is not None
    tables = (changed.clean, *changed.spoiled, changed.rehearsal.table, changed.lively.table)
    assert not any(table.features.any() for table in tables)
    assert material.clean.features.any()
