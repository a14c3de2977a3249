"""The shipped model on real recordings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.scoring.feature_identity import digest
from vser_stream.training.data.corpus import read_corpora
from vser_stream.training.recipe import Recipe
from vser_stream.values import ANSWERS

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
MODEL = ROOT / "models" / "calm-angry-panic"


@pytest.fixture(scope="module")
def manifest() -> dict[str, dict[str, dict[str, float]]]:
    return tomllib.loads((MODEL / "manifest.toml").read_text())


def test_the_shipped_model_runs_on_the_features_of_this_build() -> None:
    assert OnnxSvm.load(MODEL, features=digest(SwiftF0Tracker())).name == MODEL.name


def test_it_is_as_good_on_unheard_speakers_as_promised(
    manifest: dict[str, dict[str, dict[str, list[float]]]],
) -> None:
    figures = manifest["figures"]
    assert figures["cold"]["macro_f1"][0] >= 0.73
    assert figures["warm 3"]["macro_f1"][0] >= 0.77


def test_it_learned_from_every_clip_it_may_and_no_other(
    manifest: dict[str, dict[str, dict[str, float]]],
) -> None:
    recipe = Recipe()
    clips = read_corpora([DATA, DATA.with_name("data2")], exclude=recipe.exclude)
    counted = {
        corpus: {
            answer: sum(clip.corpus == corpus and clip.answer == answer for clip in clips)
            for answer in ANSWERS
        }
        for corpus in {clip.corpus for clip in clips}
    }
    learned = {
        name: {answer: corpus[answer] for answer in ANSWERS} for name, corpus in manifest["corpora"].items()
    }
    assert learned == counted
    assert not {"tess", "turev-db", "crema-d"} & set(learned)
