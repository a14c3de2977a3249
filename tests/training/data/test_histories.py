from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tables import invented

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import MODEL_INPUT, Baseline, model_input
from vser_stream.errors import DataError
from vser_stream.training.data.histories import CALM, Judge, Rows, Table, cold, listened, population, running

KNOWN = MODEL_INPUT.index("baseline_known")


def all_calm(rows: Rows) -> NDArray[np.float64]:
    return np.tile([0.9, 0.05, 0.05], (len(rows), 1))


def all_panic(rows: Rows) -> NDArray[np.float64]:
    return np.tile([0.05, 0.05, 0.9], (len(rows), 1))


def test_the_population_is_measured_on_calm_speech_and_each_speaker_counts_the_same() -> None:
    calm = {"a": [0.0, 2.0], "b": [9.0, 11.0, 10.0, 10.0]}
    rows = [(value, CALM, name) for name, values in calm.items() for value in values] + [(99.0, 2, "a")]
    values, y, speakers = zip(*rows, strict=True)
    features = np.repeat(np.array(values, np.float32)[:, np.newaxis], len(FEATURES), axis=1)
    prior = population(Table(features, np.array(y), np.array(speakers), np.array(["c"] * len(y))))
    within = (2.0 + 2 / 3) / 2
    between = 4.5**2 - within * (1 / 2 + 1 / 4) / 2
    assert prior.location.tolist() == pytest.approx([5.5] * len(FEATURES))
    assert prior.scale.tolist() == pytest.approx([within**0.5] * len(FEATURES))
    assert prior.weight.tolist() == pytest.approx([within / between] * len(FEATURES), rel=1e-5)


def test_a_population_of_one_speaker_is_refused() -> None:
    table = invented(speakers=1)
    with pytest.raises(DataError, match="record calm speech of two at least"):
        population(table)


def test_cold_inputs_know_nothing_of_the_speaker() -> None:
    table = invented(speakers=3)
    prior = population(table)
    expected = [model_input(row, Baseline.from_prior(prior)) for row in table.features]
    assert np.array_equal(cold(table, prior), np.array(expected))


def test_listening_has_moved_the_baseline_by_none_to_the_longest_number_of_calm_clips() -> None:
    table = invented(speakers=4, clips=6)
    inputs = listened(table, population(table), longest=3, slips=0.0, rng=np.random.default_rng(0))
    counts = np.unique(np.round(inputs[:, KNOWN] * 8)).tolist()
    assert counts == [0, 1, 2, 3]


def test_a_clip_is_not_in_its_own_history() -> None:
    """One calm clip each: the calm ones have nothing to listen to, the others just that one."""
    table = invented(speakers=12, clips=1)
    prior = population(invented(speakers=3))
    inputs = listened(table, prior, longest=1, slips=0.0, rng=np.random.default_rng(1))
    known = inputs[:, KNOWN] > 0
    assert not known[table.y == CALM].any()
    for row in np.flatnonzero(known):
        calm = table.features[(table.speakers == table.speakers[row]) & (table.y == CALM)][0]
        expected = model_input(table.features[row], Baseline.from_prior(prior).updated(calm))
        assert np.array_equal(inputs[row], expected)
    assert known.any()


def test_a_slip_puts_another_clip_than_calm_into_the_history() -> None:
    """With one clip of each label, an angry one can only have heard the panic one."""
    table = invented(speakers=12, clips=1)
    prior = population(invented(speakers=3))
    inputs = listened(table, prior, longest=1, slips=1.0, rng=np.random.default_rng(0))
    angry = np.flatnonzero((table.y == 1) & (inputs[:, KNOWN] > 0))
    for row in angry:
        panic = table.features[(table.speakers == table.speakers[row]) & (table.y == 2)][0]
        expected = model_input(table.features[row], Baseline.from_prior(prior).updated(panic))
        assert np.array_equal(inputs[row], expected)
    assert len(angry) > 0


def test_a_small_corpus_has_more_than_its_share_in_the_population() -> None:
    features = np.array([0.0] * 8 + [6.0] * 2, np.float32)[:, np.newaxis].repeat(len(FEATURES), axis=1)
    features[::2] += 0.01
    speakers = np.array(["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"])
    corpora = np.array(["large"] * 8 + ["small"] * 2)
    prior = population(Table(features, np.zeros(10, np.int64), speakers, corpora))
    # Four speakers of a half each, and one.
    assert prior.location[0] == pytest.approx(6 / 3, abs=0.01)


@pytest.mark.parametrize(("judge", "learned"), [(all_calm, 11), (all_panic, 0)])
def test_a_running_history_learns_from_its_own_decisions_alone(judge: Judge, learned: int) -> None:
    table = invented(speakers=2, clips=4)
    rng = np.random.default_rng(0)
    inputs, probabilities = running(table, population(table), judge=judge, rng=rng)
    last = inputs[:, KNOWN].max() * 8
    assert last == min(learned, 8)
    assert np.array_equal(probabilities, judge(inputs))


def test_every_clip_is_judged_before_it_is_learned_from() -> None:
    table = invented(speakers=2, clips=4)
    inputs, _ = running(table, population(table), judge=all_calm, rng=np.random.default_rng(0))
    for speaker in np.unique(table.speakers):
        counts = sorted((inputs[table.speakers == speaker, KNOWN] * 8).round().tolist())
        assert counts == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]
