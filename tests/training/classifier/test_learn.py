from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tables import invented, invented_homes

from vser_stream.core.scoring.baseline import MODEL_INPUT, Baseline, model_input
from vser_stream.core.scoring.second_look import Fusion, fused
from vser_stream.errors import DataError
from vser_stream.training.classifier import learn as learning
from vser_stream.training.classifier.fit import Learned, outside
from vser_stream.training.classifier.learn import Judges, learn
from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.second_look_fit import fit_head
from vser_stream.training.classifier.second_look_head import Head
from vser_stream.training.data.histories import Rows, cold, listened
from vser_stream.training.recipe import Recipe
from vser_stream.values import ANSWERS, Probabilities

SMALL = Recipe(calibration_folds=2, folds=2, landmarks=100)
WIDTH = 10
TABLE = invented(speakers=12)
SIDES = np.unique(TABLE.speakers, return_inverse=True)[1] % 3
FUSION = Fusion(0.6, 0.8, bias=(0.1, 0.0, 0.2, -0.1, 0.0))


def sounds(y: NDArray[np.int64], *, seed: int = 0) -> Rows:
    """What an encoder makes of clips: each answer is loud in a column of its own."""
    heard = np.random.default_rng(seed).normal(0, 1, (len(y), WIDTH))
    heard[np.arange(len(y)), y] += 6.0
    return heard.astype(np.float32)


_VALUES = len(MODEL_INPUT) + WIDTH
_WEIGHTS = np.concatenate([np.zeros((len(MODEL_INPUT), 5)), 3.0 * np.eye(WIDTH, 5)]).astype(np.float32)
EARS = Head(
    np.zeros(_VALUES, np.float32),
    np.ones(_VALUES, np.float32),
    (((_WEIGHTS, np.zeros(5, np.float32)),),),
)
"""Believes what is loud."""

DEAF_TO_FIGURES = Fusion(0.01, 1.0, bias=(0.0,) * 5)
ANY = np.random.default_rng(4).integers(0, len(ANSWERS), len(TABLE))


@pytest.fixture(scope="module")
def material() -> Material:
    homes = invented_homes(sides=3)
    homes = replace(homes, looks=sounds(homes.answers, seed=1))
    return Material(TABLE, rehearsal=homes, sides=SIDES, embeddings=(sounds(TABLE.y),))


@pytest.fixture(scope="module")
def judges(material: Material) -> Judges:
    return learn(material, SMALL, seed=0)


def test_without_what_an_encoder_heard_there_is_no_head(material: Material) -> None:
    found = learn(material.without_looks, SMALL, seed=0)
    assert (found.head, found.fusion) == (None, None)
    rows = cold(TABLE, found.prior)
    assert np.array_equal(found.answers(rows, sounds(TABLE.y)), found.fitted.answers(rows))


def test_a_clip_is_judged_by_its_own_sound_whatever_was_heard_before(judges: Judges) -> None:
    judges, heard = replace(judges, head=EARS, fusion=DEAF_TO_FIGURES, unless_calm=1.1), sounds(ANY)
    judge = judges.both(TABLE, heard)
    known = listened(TABLE, judges.prior, longest=4, slips=0.0, rng=np.random.default_rng(0))
    clips = np.random.default_rng(1).permutation(len(TABLE))
    for rows in (cold(TABLE, judges.prior), known):
        expected = outside(judges.answers(rows[clips], heard[clips]))
        assert np.array_equal(judge(rows[clips]), expected)
        assert np.abs(expected - outside(judges.answers(rows[clips], heard))).max() > 0.1


def test_a_row_of_another_table_is_no_clip(judges: Judges) -> None:
    row = model_input(invented(seed=9).features[0], Baseline.from_prior(judges.prior))
    with pytest.raises(KeyError):
        judges.both(TABLE, sounds(TABLE.y))(row[np.newaxis])


def test_what_the_machines_surely_take_for_calm_is_left_to_them(judges: Judges) -> None:
    rows = cold(TABLE, judges.prior)
    against = sounds(np.full(len(TABLE), 2))
    sure = replace(judges, head=EARS, fusion=DEAF_TO_FIGURES, unless_calm=0.9)
    calm = outside(judges.fitted.answers(rows))[:, 0] >= 0.9
    assert 10 < calm.sum() < len(TABLE) - 10
    found = sure.answers(rows, against)
    assert np.array_equal(found[calm], judges.fitted.answers(rows)[calm])
    assert (found[~calm].argmax(axis=1) == 2).mean() > 0.9
    always = replace(sure, unless_calm=1.1)
    assert (always.answers(rows, against)[calm].argmax(axis=1) == 2).mean() > 0.9


def test_both_are_fused_as_the_daemon_does(judges: Judges) -> None:
    rows, heard = cold(TABLE, judges.prior), sounds(TABLE.y)
    assert judges.head is not None
    found = replace(judges, fusion=FUSION, unless_calm=1.1).answers(rows, heard)
    first, look = judges.fitted.answers(rows), judges.head.judge(rows, heard)
    for index in range(0, len(rows), 7):
        expected = fused(
            Probabilities.folded(first[index].tolist()), Probabilities.folded(look[index].tolist()), FUSION
        )
        assert found[index] == pytest.approx(expected.answers, abs=1e-6)


def test_how_far_each_is_trusted_is_chosen_on_sides_it_has_not_heard(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[set[int]] = []

    def noted(rows: Learned, *, seed: int, networks: int = 1) -> Head:
        told.append(set(rows.sides.tolist()))
        return fit_head(rows, seed=seed, networks=networks)

    monkeypatch.setattr(learning, "fit_head", noted)
    learn(material, SMALL, seed=0)
    assert sorted(map(sorted, told)) == [[0, 1], [0, 1, 2], [0, 2], [1, 2]]


def test_an_answer_nobody_gives_is_told_before_a_second_look_is_learned(material: Material) -> None:
    alone = replace(material, rehearsal=None)
    with pytest.raises(DataError, match="no clip of other, scream to learn from"):
        learn(alone, SMALL, seed=0)
