from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.tables import invented

from vser_stream.core.baseline import MODEL_INPUT
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import DataError
from vser_stream.training.fit import fit, label_weights, speaker_folds
from vser_stream.training.histories import cold
from vser_stream.training.recipe import Recipe
from vser_stream.training.tables import Material

SMALL = Recipe(calibration_folds=2, folds=2)


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
