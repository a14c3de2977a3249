from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tables import invented

from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import CALM, Rows, population
from vser_stream.training.evaluation.clips.cross_validation import (
    HISTORIES,
    Outcome,
    by_corpus,
    by_name,
    cross_validate,
    false_alarms,
    leave_one_corpus_out,
    panic_missed,
    pooled,
    thresholds,
    try_out,
)
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

SMALL = Recipe(calibration_folds=2, folds=3)
KNOWN = MODEL_INPUT.index("baseline_known")


def how_known(rows: Rows) -> NDArray[np.float64]:
    """A judge whose calm probability is how well the speaker is known."""
    known = rows[:, KNOWN].astype(np.float64) / 2
    return np.column_stack([known, 1 - known, 0 * known])


def test_warm_clips_are_judged_after_one_and_three_calm_clips_that_are_not_judged_themselves() -> None:
    table = invented(speakers=3, clips=5)
    outcomes = try_out(table, judge=how_known, prior=population(table))
    assert list(outcomes) == list(HISTORIES)
    for name, count in (("warm 1", 1), ("warm 3", 3)):
        judged = outcomes[name]
        assert set(judged.probabilities[:, 0]) == {count / 16}
        calm_left = [
            np.sum((table.speakers[judged.clips] == s) & (table.y[judged.clips] == CALM))
            for s in ("s00", "s02")
        ]
        assert calm_left == [2, 2]
    assert np.array_equal(outcomes["warm 1"].clips, outcomes["warm 3"].clips)


def test_speakers_with_three_calm_clips_or_less_have_no_warm_history() -> None:
    table = invented(speakers=3, clips=3)
    outcomes = try_out(table, judge=how_known, prior=population(table))
    assert len(outcomes["warm 3"].clips) == 0
    assert list(pooled(table, outcomes)) == ["cold", "running"]


def test_cross_validation_judges_every_clip_cold_and_running_and_its_figures_are_good() -> None:
    table = invented(clips=5)
    stages: list[tuple[str, int, int]] = []
    outcomes = cross_validate(
        Material(table), Run(SMALL, processes=1, progress=lambda *step: stages.append(step))
    )
    for name in ("cold", "running"):
        assert sorted(outcomes[name].clips.tolist()) == list(range(len(table)))
    found = pooled(table, outcomes)
    assert found["warm 3"].macro_f1.value > 0.9
    assert stages == [("cross-validation", done, 3) for done in range(4)]


def test_labels_that_mean_nothing_are_not_learned() -> None:
    """The figures of shuffled labels are chance: nothing of a judged speaker is known."""
    table = invented(clips=5)
    table.y[:] = np.random.default_rng(0).permutation(table.y)
    found = pooled(table, cross_validate(Material(table), Run(SMALL, processes=1)))
    assert found["cold"].macro_f1.value < 0.5


def test_a_corpus_is_left_out_whole() -> None:
    table = invented(clips=5, speakers=12, corpora=2)
    outcomes = leave_one_corpus_out(Material(table), Run(SMALL, processes=1))
    found = by_corpus(table, outcomes)
    assert list(found) == ["c0", "c1"]
    assert [found[name]["cold"].clips for name in found] == [90, 90]


def test_thresholds_escalate_the_wanted_share() -> None:
    p = np.linspace(0.4, 1.0, 101)
    outcome = Outcome(np.arange(101), np.column_stack([p, (1 - p) / 2, (1 - p) / 2]))
    assert thresholds(outcome, (10, 20)) == pytest.approx({10: 0.46, 20: 0.52})


def test_false_alarms_are_the_share_not_called_calm() -> None:
    p = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.3, 0.2]])
    empty = Outcome(np.empty(0, np.int64), np.empty((0, 3)))
    assert false_alarms({"cold": Outcome(np.arange(4), p), "warm 3": empty}) == {"cold": 0.5}


def test_figures_by_name_are_those_of_the_clips_of_that_name() -> None:
    table = invented(speakers=4, clips=2)
    right = Outcome(np.arange(len(table)), np.eye(3)[table.y])
    names = np.where(table.y == CALM, "one", "other")
    found = by_name(table, {"cold": right}, names=names)
    assert {name: it["cold"].clips for name, it in found.items()} == {"one": 8, "other": 16}


def test_missed_panic_is_told_for_each_history_that_has_some() -> None:
    table = invented(speakers=4, clips=2)
    everything, calm = np.arange(len(table)), np.flatnonzero(table.y == CALM)
    outcomes = {
        "cold": Outcome(everything, np.tile([0.6, 0.2, 0.2], (len(everything), 1))),
        "running": Outcome(calm, np.tile([0.6, 0.2, 0.2], (len(calm), 1))),
    }
    found = panic_missed(table, outcomes, below=0.7)
    assert list(found) == ["cold"]
    assert (found["cold"].share.value, found["cold"].escalated.value) == (1.0, 1.0)
