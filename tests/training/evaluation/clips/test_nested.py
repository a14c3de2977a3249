from __future__ import annotations

import numpy as np
import pytest
from support.tables import invented

from vser_stream.training.classifier.material import Material
from vser_stream.training.data.histories import Table
from vser_stream.training.evaluation.clips import nested as nesting
from vser_stream.training.evaluation.clips.cross_validation import Outcome, pooled
from vser_stream.training.evaluation.clips.nested import Choice, nested, variants
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

SMALL = Recipe(calibration_folds=2, folds=2, landmarks=60)
Nested = tuple[dict[str, Outcome], list[Choice]]


def table() -> Table:
    return invented(speakers=12, clips=2)


@pytest.fixture(scope="module")
def found() -> Nested:
    stages: list[tuple[str, int, int]] = []
    told = nested(Material(table()), Run(SMALL, processes=1, progress=lambda *step: stages.append(step)))
    assert stages == [("nested", done, 2) for done in range(3)]
    return told


def test_every_clip_is_judged_once_and_each_fold_says_what_it_chose(found: Nested) -> None:
    outcomes, chosen = found
    assert sorted(outcomes["cold"].clips.tolist()) == list(range(len(table())))
    assert pooled(table(), outcomes)["cold"].macro_f1.value > 0.9
    assert [it.variant in variants(SMALL) for it in chosen] == [True, True]


def test_the_judged_speakers_have_no_say_in_the_choice(found: Nested) -> None:
    """Other voices for the judged speakers of the first fold leave its choice as it was."""
    outcomes, chosen = found
    mixed = table()
    theirs = np.isin(mixed.speakers, mixed.speakers[outcomes["cold"].clips[: len(mixed) // 2]])
    mixed.features[theirs] = mixed.features[theirs][::-1]
    assert nested(Material(mixed), Run(SMALL, processes=1))[1][0] == chosen[0]


def test_where_people_were_dealt_to_sides_a_fold_and_its_choice_are_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = np.unique(table().speakers, return_inverse=True)[1] % 4
    chosen: list[list[int]] = []

    def noted(material: Material, recipe: Recipe, seed: int) -> Choice:
        del recipe, seed
        assert material.sides is not None
        chosen.append(sorted(set(material.sides.tolist())))
        return Choice("as shipped", 1.0)

    monkeypatch.setattr(nesting, "_chosen", noted)
    nested(Material(table(), sides=sides), Run(SMALL, processes=1))
    assert chosen == [[1, 3], [0, 2]]
