from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.tables import invented, invented_homes

from vser_stream.core.features.functionals import ABSOLUTE, FEATURES, GATES
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.core.scoring.loudness import LOUDNESS
from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import Table
from vser_stream.training.evaluation.clips import ablation as ablation_module
from vser_stream.training.evaluation.clips.ablation import GROUPS, Ablation, ablate, ablation_table, without
from vser_stream.training.evaluation.clips.cross_validation import Outcome
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

EVEN = (1.0,) * 5
SMALL = Recipe(calibration_folds=2, folds=2, copies=0, raw_weight=0.5, answers=EVEN, told=EVEN)
NAMES = ["all", *(f"without {group}" for group in GROUPS), "raw only", "relative only"]


@pytest.fixture(scope="module")
def ablation() -> Ablation:
    """Labels differ by the first 30 features: pitch, jitter, energy, two of rhythm."""
    told: list[tuple[int, int]] = []
    found = ablate(
        Material(invented(clips=5, apart=1.5)),
        Run(SMALL, processes=1, progress=lambda _, done, total: told.append((done, total))),
    )
    assert told == [(done, len(NAMES)) for done in range(len(NAMES) + 1)]
    return found


def test_every_feature_is_in_exactly_one_group() -> None:
    counts = Counter(name for names in GROUPS.values() for name in names)
    assert counts == dict.fromkeys(FEATURES, 1)
    assert all(GROUPS.values())


def test_each_variant_has_the_inputs_that_are_left(ablation: Ablation) -> None:
    inputs = {variant.name: variant.inputs for variant in ablation.variants}
    assert list(inputs) == NAMES
    judged = set(FEATURES) - {*ABSOLUTE, *GATES}
    for group, names in GROUPS.items():
        assert inputs[f"without {group}"] == len(MODEL_INPUT) - 2 * len(judged & set(names))
    assert inputs["all"] == 2 * len(judged) + 1 + len(LOUDNESS)
    assert inputs["raw only"] == len(judged)
    assert inputs["relative only"] == len(judged) + 1 + len(LOUDNESS)


def test_what_tells_the_labels_apart_is_missed_and_the_rest_is_not(ablation: Ablation) -> None:
    gains = {
        variant.name: variant.figures["cross-validation"]["warm 3"].gain for variant in ablation.variants
    }
    assert (gains["all"].value, gains["all"].low, gains["all"].high) == (0.0, 0.0, 0.0)
    assert gains["without energy"].high < 0.0
    assert gains["without MFCC means"].low <= 0.0 <= gains["without MFCC means"].high
    groups = [f"without {group}" for group in GROUPS]
    assert min(groups, key=lambda name: gains[name].value) == "without energy"


def test_the_gain_is_over_the_whole_on_the_same_clips(ablation: Ablation) -> None:
    whole = ablation.variants[0].figures
    for variant in ablation.variants:
        for protocol, histories in variant.figures.items():
            for history, one in histories.items():
                expected = one.macro_f1.value - whole[protocol][history].macro_f1.value
                assert one.gain.value == pytest.approx(expected)


def test_a_group_is_blanked_in_every_table_and_the_kernel_made_for_what_is_left() -> None:
    table = invented(speakers=2, clips=1)
    blanked, recipe = without(Material(table, (table,)), SMALL, group="unvoiced")
    gone = np.isin(FEATURES, GROUPS["unvoiced"])
    assert (blanked.clean.features == np.where(gone, 0.0, table.features)).all()
    assert (blanked.spoiled[0].features == blanked.clean.features).all()
    # All unvoiced features are inputs twice: as they are, and relative.
    both = SMALL.raw_weight**2 + 1
    loudness = SMALL.loudness_weight**2 * len(LOUDNESS)
    whole = both * (len(FEATURES) - len(ABSOLUTE) - len(GATES)) + 1 + loudness
    assert recipe.gamma == pytest.approx(SMALL.gamma * whole / (whole - both * gone.sum()))


def test_what_is_learned_beside_clean_clips_is_left_out_where_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = invented(speakers=6, clips=2, corpora=1)
    homes, tried = invented_homes(speakers=6), list[tuple[bool, bool, bool, float]]()
    material = Material(table, (table,), homes, lively=invented_homes(speakers=6))

    def noted(some: Material, run: Run) -> dict[str, Outcome]:
        unknown = run.recipe.unknown_loudness
        tried.append((bool(some.spoiled), some.lively is not None, some.rehearsal is not None, unknown))
        return {history: right(table) for history in ("cold", "running", "warm 3")}

    monkeypatch.setattr(ablation_module, "cross_validate", noted)
    found = {variant.name: variant.inputs for variant in ablate(material, Run(SMALL)).variants}
    usual = SMALL.unknown_loudness
    assert list(found)[len(NAMES) :] == [
        "without spoiled clips", "without lively clips", "without homes", "without loudness",
    ]  # fmt: skip
    assert tried[len(NAMES) :] == [
        (False, True, True, usual), (True, False, True, usual), (True, True, False, usual),
        (True, True, True, 1.0),
    ]  # fmt: skip
    assert found["without homes"] - found["without loudness"] == len(LOUDNESS)


def right(table: Table) -> Outcome:
    return Outcome(np.arange(len(table)), np.eye(3)[table.y])


def test_without_a_second_corpus_none_is_left_out() -> None:
    found = ablate(Material(invented(clips=4, corpora=1)), Run(SMALL, processes=1))
    assert {tuple(variant.figures) for variant in found.variants} == {("cross-validation",)}


def test_the_text_has_a_row_for_each_variant(ablation: Ablation) -> None:
    lines = ablation_table(ablation).splitlines()
    assert [line[:26].strip() for line in lines[-len(NAMES) :]] == NAMES
    assert [line[:26].strip() for line in lines if "inputs" in line] == [
        "cross-validation",
        "corpus left out",
    ]
    whole = lines[-len(NAMES)].split()
    first = ablation.variants[0].figures["corpus left out"]["cold"].macro_f1.value
    assert whole[:3] == ["all", str(len(MODEL_INPUT)), f"{first:.3f}"]
    assert all(len(line) <= 110 for line in lines)
    starred = next(line for line in lines if line.startswith("without energy"))
    assert "*" in starred
