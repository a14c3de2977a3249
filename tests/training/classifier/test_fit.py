from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.tables import invented, invented_homes

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.core.scoring.loudness import LOUDNESS
from vser_stream.errors import DataError
from vser_stream.training.classifier.fit import (
    Learned,
    fit,
    fit_learned,
    label_weights,
    outside,
    rows_of,
    side_folds,
    speaker_folds,
)
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import Table, cold, population
from vser_stream.training.recipe import Recipe
from vser_stream.values import ANSWERS

EVEN = (0.2,) * 5
SMALL = Recipe(calibration_folds=2, folds=2, answers=EVEN, told=EVEN)


def test_no_speaker_is_on_both_sides_of_a_fold_and_every_clip_is_judged_once() -> None:
    table = invented()
    folds = speaker_folds(table, 3, seed=0)
    for known, unheard in folds:
        assert not set(table.speakers[known]) & set(table.speakers[unheard])
    assert sorted(np.concatenate([unheard for _, unheard in folds]).tolist()) == list(range(len(table)))


def test_fewer_speakers_than_folds_are_refused() -> None:
    table = invented(speakers=3)
    with pytest.raises(DataError, match="3 speakers have calm clips, 4 are needed; record more speakers"):
        speaker_folds(table, 4, seed=0)


def test_a_corpus_without_a_label_is_refused() -> None:
    table = invented()
    with pytest.raises(DataError, match="0 speakers have panic clips"):
        fit(Material(table.where(table.y < 2)), SMALL, seed=0)


def test_voices_never_heard_are_told_apart() -> None:
    fitted = fit(Material(invented(seed=1)), SMALL, seed=0)
    unheard = invented(seed=2)
    judged = fitted.judge(cold(unheard, fitted.prior))
    assert np.mean(judged.argmax(axis=1) == unheard.y) > 0.9
    assert judged.sum(axis=1).tolist() == pytest.approx([1.0] * len(unheard))


def test_a_feature_as_it_is_counts_as_little_as_told() -> None:
    table = invented()
    raw = np.array([name in FEATURES for name in MODEL_INPUT])
    moved = []
    for weight in (0.01, 1.0):
        fitted = fit(Material(table), replace(SMALL, raw_weight=weight), seed=0)
        rows = cold(table, fitted.prior)
        other = np.where(raw, np.roll(rows, 1, axis=0), rows)
        moved.append(np.abs(fitted.judge(rows) - fitted.judge(other)).max())
    assert moved[0] < 0.02 < moved[1]


def test_the_seed_decides_everything() -> None:
    table = invented()
    rows = cold(table, fit(Material(table), SMALL, seed=0).prior)
    first, again, other = (fit(Material(table), SMALL, seed=seed).judge(rows) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_label_weighs_the_same_and_corpora_are_evened_out_as_told() -> None:
    table = invented(speakers=8, corpora=1)
    table = replace(table, corpora=np.where(table.speakers == "s00", "small", "large"))
    table = table.where((table.y != 2) | (table.speakers < "s04"))
    for balance, ratio in ((0.0, 1.0), (0.5, (28 / 4) ** 0.5), (1.0, 28 / 4)):
        weights = label_weights(table, balance)
        sums = [weights[table.y == label].sum() for label in range(3)]
        assert sums == pytest.approx([len(table) / 3] * 3)
        calm = table.y == 0
        small, large = (weights[calm & (table.corpora == name)][0] for name in ("small", "large"))
        assert small / large == pytest.approx(ratio)


def five(*, seed: int = 0, count: int = 60, told: float = 3.0) -> Learned:
    """Rows of people on three sides; each answer is moved along inputs of its own."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.arange(len(ANSWERS)), count)
    inputs = rng.normal(0, 1, (len(y), len(MODEL_INPUT)))
    for answer in range(len(ANSWERS)):
        inputs[y == answer, 20 * answer : 20 * answer + 20] += told
    sides = np.repeat(np.arange(3), -(-len(y) // 3))[: len(y)]
    nothing = np.zeros((len(y), 0), np.float32)
    return Learned(inputs.astype(np.float32), nothing, y, np.ones(len(y)), sides)


def test_the_machines_tell_the_five_answers_apart() -> None:
    prior = population(invented())
    fitted, unheard = fit_learned(five(), prior, SMALL, seed=0)
    others = five(seed=1)
    believed = fitted.answers(others.inputs)
    assert np.mean(believed.argmax(axis=1) == others.y) > 0.95
    assert np.mean(unheard.argmax(axis=1) == five().y) > 0.95
    assert believed.sum(axis=1) == pytest.approx(np.ones(len(others)))
    assert np.array_equal(fitted.judge(others.inputs), outside(believed))


def test_the_three_labels_are_what_the_five_answers_add_up_to() -> None:
    five_of_them = np.array([[0.1, 0.2, 0.3, 0.25, 0.15]])
    assert outside(five_of_them) == pytest.approx(np.array([[0.35, 0.2, 0.45]]))


def test_what_calibrates_is_never_heard_by_the_machines_it_is_judged_by() -> None:
    """Rows that mean nothing are learned by heart: only who has not heard them knows it is a guess."""
    prior, nothing = population(invented()), five(told=0.0)
    fitted, unheard = fit_learned(nothing, prior, replace(SMALL, c=100.0, told=SMALL.answers), seed=0)
    assert np.mean(fitted.margins(nothing.inputs).argmax(axis=1) == nothing.y) > 0.9, "learned by heart"
    assert np.mean(unheard.argmax(axis=1) == nothing.y) < 0.35
    assert unheard.max(axis=1).mean() < 0.4
    assert fitted.answers(nothing.inputs).max(axis=1).mean() < 0.6, "nor is it sure of what it has learned"


def test_confidence_is_how_often_unheard_people_are_told_right() -> None:
    prior, rows = population(invented()), five(told=0.5, count=200)
    fitted, _ = fit_learned(rows, prior, replace(SMALL, told=SMALL.answers), seed=0)
    others = five(told=0.5, count=200, seed=1)
    believed = fitted.answers(others.inputs)
    right = np.mean(believed.argmax(axis=1) == others.y)
    assert 0.3 < right < 0.95
    assert believed.max(axis=1).mean() == pytest.approx(right, abs=0.06)


def test_an_answer_is_believed_as_often_as_it_is_taken_to_be_given() -> None:
    prior, rows = population(invented()), five(told=0.5)
    often = replace(SMALL, told=(0.1, 0.1, 0.6, 0.1, 0.1))
    usual, raised = (fit_learned(rows, prior, recipe, seed=0)[1].mean(axis=0) for recipe in (SMALL, often))
    assert usual == pytest.approx(EVEN, abs=0.02)
    assert raised[2] > 2 * usual[2]


@pytest.mark.parametrize("speakers", [12, 24])
def test_of_few_people_what_calibrates_does_not_undo_what_the_machines_tell(speakers: int) -> None:
    """Of the five answers two are never given, and what is left is soon learned by heart."""
    table = invented(speakers=speakers, clips=5, apart=1.5)
    known, unheard = speaker_folds(table, 2, seed=0)[0]
    fitted = fit(Material(table.where(known)), SMALL, seed=0)
    rows, y = cold(table.where(unheard), fitted.prior), table.y[unheard]
    told, meant = (np.mean(by(rows).argmax(axis=1) == y) for by in (fitted.answers, fitted.margins))
    assert told > meant - 0.1
    assert meant > 0.7


def test_of_clips_alone_nothing_is_said_of_loudness_and_in_homes_it_is_sometimes_known() -> None:
    table, homes = invented(), invented_homes()
    loud = slice(-len(LOUDNESS), None)
    alone = rows_of(Material(table, (table,)), population(table), SMALL, seed=0)
    assert not alone.inputs[:, loud].any()
    both = rows_of(Material(table, rehearsal=homes), population(table), SMALL, seed=0)
    assert not both.inputs[: len(table), loud].any()
    known = both.inputs[len(table) :, -1] > 0.0
    assert 0.2 < known.mean() < 0.9
    never = replace(SMALL, unknown_loudness=1.0)
    assert (
        not rows_of(Material(table, rehearsal=homes), population(table), never, seed=0).inputs[:, loud].any()
    )


def test_answers_and_homes_weigh_as_the_recipe_says() -> None:
    table, homes = invented(), invented_homes()
    recipe = replace(SMALL, answers=(0.5, 0.2, 0.1, 0.15, 0.05), homes=3.0)
    rows = rows_of(Material(table, rehearsal=homes), population(table), recipe, seed=0)
    clips, heard = rows.weights[: len(table)], rows.weights[len(table) :]
    assert heard.sum() / clips.sum() == pytest.approx(3.0)
    shares = [heard[homes.answers == answer].sum() / heard.sum() for answer in range(len(ANSWERS))]
    assert shares == pytest.approx(recipe.answers)


def test_sides_are_folds_and_joined_where_there_are_more() -> None:
    table = invented(speakers=12)
    sides = np.unique(table.speakers, return_inverse=True)[1] % 5
    material = Material(table, sides=sides)
    assert len(side_folds(material, 5, seed=0)) == 5
    for count in (2, 3):
        folds = side_folds(material, count, seed=0)
        assert len(folds) == count
        for known, unheard in folds:
            assert not set(sides[known]) & set(sides[unheard])
        assert sorted(np.concatenate([unheard for _, unheard in folds]).tolist()) == list(range(len(table)))


@pytest.mark.parametrize("alone", [12, 11])
def test_where_one_side_has_nearly_all_people_are_calibrated_on_instead(alone: int) -> None:
    table = invented()
    sides = np.where(np.unique(table.speakers, return_inverse=True)[1] < alone, 3, 1)
    table = table.where((sides == 3) | (table.y == 0))
    sides = np.where(np.isin(table.speakers, np.unique(table.speakers)[:alone]), 3, 1)
    fitted = fit(Material(table, sides=sides), SMALL, seed=0)
    assert np.mean(fitted.judge(cold(table, fitted.prior)).argmax(axis=1) == table.y) > 0.9


def test_people_nobody_dealt_to_a_side_are_on_the_same_one_in_their_homes() -> None:
    table, homes = invented(), invented_homes()
    rows = rows_of(Material(table, rehearsal=homes), population(table), SMALL, seed=0)
    first = FEATURES.index(MODEL_INPUT[0])
    said = np.concatenate([table.features[:, first], homes.table.features[:, first]])
    speakers = np.concatenate([table.speakers, homes.table.speakers])
    who = dict(zip(said.tolist(), speakers.tolist(), strict=True))
    heard = np.array([who[value] for value in rows.inputs[:, 0].tolist()])
    for speaker in np.unique(speakers):
        assert len(set(rows.sides[heard == speaker].tolist())) == 1
    assert len(set(rows.sides.tolist())) == SMALL.calibration_folds


def test_rows_of_a_table_without_clips_are_none() -> None:
    table: Table = invented().where(np.zeros(0, np.int64))
    fitted = fit(Material(invented()), SMALL, seed=0)
    assert fitted.judge(cold(table, fitted.prior)).shape == (0, 3)
