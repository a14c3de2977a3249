import json

import numpy as np
import pytest

from vser_stream.core.features.functionals import ABSOLUTE, FEATURES
from vser_stream.core.scoring.baseline import (
    LEARNING,
    MODEL_INPUT,
    Baseline,
    Prior,
    is_calm_enough,
    model_input,
    model_inputs,
)
from vser_stream.values import Probabilities, Vector

N = len(FEATURES)


def prior(weight: float = 1.0) -> Prior:
    return Prior(
        location=np.zeros(N, np.float32), scale=np.ones(N, np.float32), weight=np.full(N, weight, np.float32)
    )


def calm(count: int, *, around: float = 0.0, seed: int = 1) -> list[Vector]:
    rows = np.random.default_rng(seed).normal(around, 1.0, (count, N))
    return list(rows.astype(np.float32))


def learned(rows: list[Vector], start: Baseline | None = None) -> Baseline:
    baseline = start or Baseline.from_prior(prior())
    for row in rows:
        baseline = baseline.updated(row)
    return baseline


def test_one_utterance_counts_as_much_as_a_prior_of_weight_one() -> None:
    baseline = learned([np.full(N, 2.0, np.float32)])
    assert baseline.location == pytest.approx(1.0)
    assert baseline.count == 1.0


def test_where_people_differ_more_the_prior_counts_less() -> None:
    row = np.full(N, 2.0, np.float32)
    assert Baseline.from_prior(prior(0.1)).updated(row).location == pytest.approx(2.0 / 1.1)
    assert Baseline.from_prior(prior(9.0)).updated(row).location == pytest.approx(0.2)


def test_it_arrives_at_the_calm_of_the_speaker() -> None:
    baseline = learned(calm(200, around=1.5))
    assert float(baseline.location.mean()) == pytest.approx(1.5, abs=0.05)
    assert float(baseline.scale.mean()) == pytest.approx(1.0, abs=0.1)


def test_one_wrong_utterance_cannot_carry_it_away() -> None:
    settled = learned(calm(20))
    wrong = settled.updated(np.full(N, 1000.0, np.float32))
    assert float(np.abs(wrong.location - settled.location).max()) < 0.5


def test_it_follows_a_voice_that_changes() -> None:
    settled = learned(calm(500))
    assert float(learned(calm(200, around=2.0, seed=2), settled).location.mean()) > 1.8


def test_it_learns_as_its_version_does() -> None:
    """Another way to learn makes other figures than the manifests of this version tell: raise LEARNING."""
    baseline = learned([*calm(50), np.full(N, 9.0, np.float32)])
    assert LEARNING == 1
    assert baseline.count == 40.0
    assert float(baseline.location.mean()) == pytest.approx(0.05923, abs=1e-4)
    assert float(baseline.scale.mean()) == pytest.approx(1.05868, abs=1e-4)
    assert is_calm_enough(Probabilities(0.6, 0.2, 0.2))
    assert not is_calm_enough(Probabilities(0.599, 0.201, 0.2))


def test_learning_leaves_the_old_baseline_alone() -> None:
    before = Baseline.from_prior(prior())
    before.updated(np.ones(N, np.float32))
    assert not before.location.any()
    assert before.count == 0.0


def test_it_is_stored_as_plain_numbers_and_comes_back_equal() -> None:
    baseline = learned(calm(3))
    restored = Baseline.from_lists(json.loads(json.dumps(baseline.to_lists())))
    assert restored.to_lists() == baseline.to_lists()
    assert np.array_equal(model_inputs(calm(1)[0], restored), model_inputs(calm(1)[0], baseline))
    assert Prior.from_lists(json.loads(json.dumps(prior().to_lists()))).to_lists() == prior().to_lists()


def test_what_is_learned_is_judged_from_where_it_began_too() -> None:
    start, row = Baseline.from_prior(prior()), calm(1)[0]
    learning = learned(calm(3))
    assert [it.tolist() for it in model_inputs(row, start)] == [model_input(row, start).tolist()]
    assert [it.tolist() for it in model_inputs(row, learning)] == [
        model_input(row, it).tolist() for it in (learning, start)
    ]


def test_what_is_enrolled_becomes_where_it_begins() -> None:
    enrolled, row = learned(calm(3)).enrolled(), calm(1)[0]
    assert len(model_inputs(row, enrolled)) == 1
    later = learned(calm(2, seed=3), enrolled)
    assert np.array_equal(model_inputs(row, later)[1], model_input(row, enrolled))


def test_one_that_was_stored_before_there_were_anchors_is_its_own() -> None:
    lists = learned(calm(3)).to_lists()
    old = Baseline.from_lists({name: it for name, it in lists.items() if not name.startswith("anchor_")})
    assert old.anchor is None
    assert old.count == 3.0
    assert len(model_inputs(calm(1)[0], old.updated(calm(1)[0]))) == 2


def test_the_model_input_has_a_value_for_each_name() -> None:
    row = model_input(calm(1)[0], learned(calm(2)))
    assert row.shape == (len(MODEL_INPUT),)
    assert row.dtype == np.float32
    assert len(set(MODEL_INPUT)) == len(MODEL_INPUT)


@pytest.mark.parametrize("heard", [0, 3])
def test_gain_does_not_enter_the_model(heard: int) -> None:
    gain = np.array([20.0 if name in ABSOLUTE else 0.0 for name in FEATURES], np.float32)
    rows = calm(heard + 1)
    louder = [row + gain for row in rows]
    one = model_input(rows[-1], learned(rows[:-1]))
    other = model_input(louder[-1], learned(louder[:-1]))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("probabilities", "enough"),
    [
        (Probabilities(0.7, 0.2, 0.1), True),
        (Probabilities(0.55, 0.25, 0.2), False),
        (Probabilities(0.1, 0.8, 0.1), False),
        (Probabilities(0.95, 0.03, 0.02, other=0.05), True),
        (Probabilities(0.95, 0.03, 0.02, other=0.4), False),
        (Probabilities(0.95, 0.03, 0.02, other=0.9), False),
    ],
)
def test_only_a_confident_calm_decision_teaches(probabilities: Probabilities, *, enough: bool) -> None:
    assert is_calm_enough(probabilities) is enough


def test_a_distance_from_calm_is_single_precision_and_ends_at_six() -> None:
    far = Baseline.from_prior(prior()).relative(np.full(N, 100.0))
    assert far.dtype == np.float32
    assert set(far.tolist()) == {6.0}
    assert set(Baseline.from_prior(prior()).relative(np.full(N, -100.0)).tolist()) == {-6.0}


def test_how_well_calm_is_known_is_told_in_eighths() -> None:
    known = MODEL_INPUT.index("baseline_known")
    assert [model_input(calm(1)[0], learned(calm(n)))[known] for n in (0, 2, 8, 20)] == [0.0, 0.25, 1.0, 1.0]


@pytest.mark.parametrize(
    "changed",
    [
        {"scale": [0.0] * N},
        {"scale": [-1.0] * N},
        {"weight": [0.0] * N},
        {"location": [1e9] * N},
        {"location": [float("nan")] * N},
        {"location": [0.0] * (N - 1)},
        {"count": [-0.1]},
        {"count": [40.1]},
        {"count": [float("nan")]},
        {"count": [1.0, 2.0]},
        {"count": []},
        {"anchor_scale": [0.0] * N},
    ],
)
def test_a_baseline_that_would_deafen_a_source_is_refused(changed: dict[str, list[float]]) -> None:
    lists = learned(calm(2)).to_lists()
    Baseline.from_lists(lists)
    with pytest.raises((ValueError, KeyError, TypeError)):
        Baseline.from_lists(lists | changed)


@pytest.mark.parametrize("missing", ["weight", "location", "scale", "count", "anchor_location"])
def test_a_baseline_of_which_a_part_is_missing_is_refused(missing: str) -> None:
    lists = learned(calm(2)).to_lists()
    del lists[missing]
    with pytest.raises(KeyError):
        Baseline.from_lists(lists)


def test_a_baseline_whose_memory_is_full_comes_back() -> None:
    assert Baseline.from_lists(learned(calm(60)).to_lists()).count == 40.0
