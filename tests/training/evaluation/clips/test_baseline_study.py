from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tables import invented

from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import CALM, Rows, Table, cold, population, running
from vser_stream.training.evaluation.clips.baseline_study import (
    SCENARIOS,
    Listening,
    Session,
    follow,
    listening_table,
    simulate,
)
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

SMALL = Recipe(calibration_folds=2, folds=2)
KNOWN = MODEL_INPUT.index("baseline_known")
TABLE = invented(speakers=8, clips=6)
MOVED = Table(TABLE.features + 2, TABLE.y, TABLE.speakers, TABLE.corpora)


def sessions(name: str) -> list[Session]:
    return list(SCENARIOS[name](TABLE, np.random.default_rng(0)))


def teachable(rows: Rows) -> NDArray[np.float64]:
    """Every utterance is taken for calm; the angry share tells how well the speaker is known."""
    known = rows[:, KNOWN].astype(np.float64)
    return np.column_stack([0.7 + 0 * known, 0.3 * known, 0.3 - 0.3 * known])


def known(given: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in (given[:, 1] / 0.3 * 8).round(1)]


@pytest.fixture(scope="module")
def listening() -> Listening:
    return simulate(Material(TABLE, (MOVED,)), Run(SMALL, processes=1))


def test_strangers_and_enrolled_say_the_same_in_the_same_order() -> None:
    stranger, one, three = (
        sessions(name) for name in ("a stranger", "1 calm clip given", "3 calm clips given")
    )
    for first, second, third in zip(stranger, one, three, strict=True):
        assert first.heard.tolist() == second.heard.tolist() == third.heard.tolist()
        assert [len(it.enrolled) for it in (first, second, third)] == [0, 1, 3]
        assert (TABLE.y[third.enrolled] == CALM).all()
        assert not set(third.enrolled.tolist()) & set(third.heard.tolist())
        assert len(third.heard) == 15


def test_a_bad_start_is_four_utterances_that_are_not_calm_and_not_counted() -> None:
    for session in sessions("after 4 not calm"):
        assert session.turn == 4
        assert (TABLE.y[session.heard[:4]] != CALM).all()
        assert sorted(session.heard) == sorted(
            np.flatnonzero(TABLE.speakers == TABLE.speakers[session.heard[0]])
        )


def test_two_people_of_one_corpus_take_turns() -> None:
    found = sessions("two people in turn")
    assert len(found) == 4
    for session in found:
        speakers, corpora = TABLE.speakers[session.heard], TABLE.corpora[session.heard]
        assert len(np.unique(speakers)) == 2
        assert len(np.unique(corpora)) == 1
        assert (speakers[:-1] != speakers[1:]).all()


@pytest.mark.parametrize(("name", "calm"), [("only ever calm", True), ("never calm", False)])
def test_people_of_one_mood(name: str, calm: bool) -> None:  # noqa: FBT001 - a parameter of the test
    for session in sessions(name):
        assert ((TABLE.y[session.heard] == CALM) == calm).all()


def test_an_agent_judges_before_it_learns_from_halfway_between_what_it_was_given_and_what_it_knows() -> None:
    session = Session(heard=np.arange(5), enrolled=np.arange(5, 7))
    (given,) = follow([session], [TABLE], prior=population(TABLE), judge=teachable)
    assert known(given) == [2, 2.5, 3, 3.5, 4]


def test_listening_to_a_stranger_is_the_running_history() -> None:
    """The same order of clips gives the same probabilities as the agents of cross-validation."""
    prior = population(TABLE)
    rng = np.random.default_rng(3)
    first = TABLE.where(TABLE.speakers == "s00")
    expected = running(first, prior, judge=teachable, rng=rng)[1]
    order = np.random.default_rng(3).permutation(np.arange(len(first)))
    (given,) = follow([Session(order, order[:0])], [first], prior=prior, judge=teachable)
    assert np.array_equal(given, expected[order])


def test_after_forgetting_it_is_cold_and_learns_again() -> None:
    session = Session(heard=np.arange(6), enrolled=np.arange(6, 9), turn=3, forgets=True)
    (given,) = follow([session], [TABLE], prior=population(TABLE), judge=teachable)
    assert known(given) == [3, 3.5, 4, 0, 0.5, 1]


def test_from_the_turn_on_it_hears_through_the_moved_microphone() -> None:
    heard: list[Rows] = []

    def noting(rows: Rows) -> NDArray[np.float64]:
        heard.append(rows)
        return np.tile([0.0, 1.0, 0.0], (len(rows), 1))

    session = Session(heard=np.arange(4), enrolled=np.arange(0), turn=2, moved=True)
    prior = population(TABLE)
    follow([session], [TABLE, MOVED], prior=prior, judge=noting)
    expected = np.concatenate([cold(TABLE, prior)[:2], cold(MOVED, prior)[2:4]])
    assert np.array_equal(np.concatenate(heard), expected)


def test_every_scenario_has_figures_after_five_ten_and_all_utterances(listening: Listening) -> None:
    assert list(listening.scenarios) == list(SCENARIOS)
    stranger = listening.scenarios["a stranger"]
    assert list(stranger.stretches) == ["first 5", "first 10", "all"]
    assert stranger.sessions == 8
    assert [it.cold.clips for it in stranger.stretches.values()] == [40, 80, 120]
    assert stranger.stretches["all"].listening.speakers == 8
    assert stranger.mistaken <= stranger.learned
    for scenario in listening.scenarios.values():
        for stretch in scenario.stretches.values():
            gain = stretch.listening.macro_f1.value - stretch.cold.macro_f1.value
            assert stretch.gain.value == pytest.approx(gain)


def test_only_what_follows_a_bad_start_is_counted(listening: Listening) -> None:
    after = listening.scenarios["after 4 not calm"].stretches["all"].cold
    assert after.clips == 8 * (18 - 4)
    assert sum(after.confusion[CALM]) == 8 * 6


def test_people_of_one_mood_are_judged_by_recall_alone(listening: Listening) -> None:
    only, never = (listening.scenarios[name].stretches["all"] for name in ("only ever calm", "never calm"))
    assert list(only.listening.recall) == ["calm"]
    assert list(never.listening.recall) == ["angry", "panic"]


def test_without_a_spoiled_copy_nobody_moves_the_microphone() -> None:
    found = simulate(Material(TABLE), Run(SMALL, processes=1))
    assert [name for name in SCENARIOS if name not in found.scenarios] == [
        "microphone moved",
        "moved and forgotten",
    ]


def test_the_text_has_a_row_for_each_scenario_and_stretch(listening: Listening) -> None:
    lines = listening_table(listening).splitlines()
    assert [line[:20].strip() for line in lines[3:] if line[:1] != " "] == list(SCENARIOS)
    rows = [line for line in lines if "[" in line]
    assert len(rows) == sum(len(it.stretches) for it in listening.scenarios.values())
    assert all(len(line) <= 110 for line in lines)
