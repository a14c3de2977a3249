"""The whole path on a synthetic corpus: train, export, load, evaluate, report."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from support.corpora import write_corpus

from vser_stream import __version__
from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.core.scoring.baseline import LEARNING
from vser_stream.errors import DataError, ModelMismatchError, UserError
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.evaluation.clips.evaluate_clips import evaluate_model, evaluate_recipe
from vser_stream.training.evaluation.clips.results import text_table
from vser_stream.training.evaluation.html_report import write_report
from vser_stream.training.recipe import Recipe
from vser_stream.training.release.classifier_card import model_card
from vser_stream.training.release.train_classifier import CardOptions, Trained, train
from vser_stream.training.run import Run

SMALL = Recipe(calibration_folds=2, folds=2, longest=2, takes=1, exclude=("held",), calm_only=())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpora = ("one", "two", "one", "two", "held")
    return write_corpus(tmp_path_factory.mktemp("corpus"), speakers=10, clips=4, corpora=corpora)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), processes=2)


@pytest.fixture(scope="module")
def trained(corpus: Path, cache: FeatureCache, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("models") / "mine"
    return train(corpus, out, Run(SMALL, cache=cache, processes=1), second_look=False)


def test_voices_that_were_not_heard_are_told_apart(trained: Trained) -> None:
    evaluation = trained.evaluation
    assert list(evaluation.pooled) == ["cold", "running", "warm 1", "warm 3"]
    assert evaluation.pooled["warm 3"].macro_f1.value > 0.9
    assert (evaluation.pooled["cold"].clips, evaluation.pooled["cold"].speakers) == (96, 8)
    assert list(evaluation.by_corpus) == ["one", "two"]
    assert {group: list(names) for group, names in evaluation.by_group.items()} == {"sex": ["F", "M"]}
    assert [evaluation.by_group["sex"][sex]["cold"].clips for sex in "FM"] == [48, 48]
    assert list(evaluation.left_out) == ["all", "one", "two"]
    assert list(evaluation.unheard) == ["held"]
    assert evaluation.unheard["held"]["cold"].clips == 24
    assert list(evaluation.thresholds) == [10, 20, 30]
    assert list(evaluation.nested) == list(evaluation.pooled)
    assert len(evaluation.chosen) == SMALL.folds
    assert evaluation.conditions == {}


def test_the_model_loads_and_its_manifest_says_what_it_is(trained: Trained, cache: FeatureCache) -> None:
    model = OnnxSvm.load(trained.folder, features=cache.features)
    manifest = tomllib.loads((trained.folder / "manifest.toml").read_text())
    assert (model.name, model.version) == ("mine", trained.version)
    assert model.escalate_below == pytest.approx(trained.evaluation.thresholds[20], abs=1e-4)
    assert (manifest["package"], manifest["features"], manifest["seed"]) == (__version__, cache.features, 0)
    assert manifest["learning"] == LEARNING
    assert manifest["corpora"]["one"]["calm"] == 16
    assert manifest["recipe"]["exclude"] == ["held"]
    assert manifest["figures"]["cold"]["clips"] == 96
    assert trained.size == (trained.folder / "svm.onnx").stat().st_size
    assert trained.parity <= 1e-4


def test_a_model_does_not_load_for_other_features(trained: Trained, cache: FeatureCache) -> None:
    with pytest.raises(ModelMismatchError, match=f"trained on features {cache.features}, this"):
        OnnxSvm.load(trained.folder, features="0")


def test_the_card_prints_further_studies_as_they_are(trained: Trained) -> None:
    card = model_card(
        "mine",
        version="1",
        corpora=[],
        evaluation=trained.evaluation,
        default_share=20,
        studies={"homes": "panic  0.5\n"},
    )
    assert "### homes\n\n```text\npanic  0.5\n```" in card


def test_a_study_that_is_not_there_is_named_before_anything_is_trained(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        train(corpus, tmp_path / "mine", Run(SMALL), card=CardOptions(studies=[tmp_path / "none.txt"]))
    assert not (tmp_path / "mine").exists()


def test_the_card_has_the_figures_and_the_limits(trained: Trained) -> None:
    card = (trained.folder / "MODEL_CARD.md").read_text()
    pooled = trained.evaluation.pooled["warm 3"]
    for line in (
        "**Not a medical device.**",
        f"# mine {trained.version}",
        f"| all | warm 3 | {pooled.macro_f1} |",
    ):
        assert line in card
    assert "{" not in card
    assert "This model has no second look" in card
    assert "No such clips were given." in card
    assert "| one |  | 4 | 16 | 16 | 16 | 0 | 0 | not stated |" in card


def test_the_same_seed_gives_the_same_model(
    trained: Trained, corpus: Path, cache: FeatureCache, tmp_path: Path
) -> None:
    again = train(corpus, tmp_path / "mine", Run(SMALL, cache=cache, processes=1), second_look=False)
    for name in ("svm.onnx", "MODEL_CARD.md"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert again.evaluation == trained.evaluation


def test_a_training_that_fails_leaves_the_model_that_was_there(
    trained: Trained, corpus: Path, cache: FeatureCache, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in trained.folder.iterdir()}
    (tmp_path / "other.onnx").write_bytes(b"x")
    with pytest.raises(DataError, match="no clip of other, scream for the second look"):
        train(corpus, trained.folder, Run(SMALL, cache=cache), encoder_file=tmp_path / "other.onnx")
    spoken = Recipe(folds=2, takes=0, exclude=("held", "one", "two"))
    with pytest.raises(DataError, match="has no rows to use"):
        train(corpus, trained.folder, Run(spoken, cache=cache), second_look=False)
    assert {path.name: path.read_bytes() for path in trained.folder.iterdir()} == before


def test_a_model_is_evaluated_as_the_exported_graph(
    trained: Trained, corpus: Path, cache: FeatureCache
) -> None:
    model = OnnxSvm.load(trained.folder, features=cache.features)
    found = evaluate_model(corpus, Run(cache=cache), model=model)
    assert found.subject == f"mine {trained.version}"
    assert list(found.by_corpus) == ["held", "one", "two"]
    assert found.heard == ("one", "two")
    assert "trained on one, two: figures of these" in text_table(found)
    assert found.by_corpus["held"]["cold"].confusion == trained.evaluation.unheard["held"]["cold"].confusion


def test_a_recipe_is_evaluated_as_training_does(trained: Trained, corpus: Path, cache: FeatureCache) -> None:
    found = evaluate_recipe(corpus, Run(SMALL, cache=cache, processes=1), choice_nested=True)
    assert (found.pooled, found.left_out) == (trained.evaluation.pooled, trained.evaluation.left_out)
    assert found.nested == trained.evaluation.nested


def test_the_choice_of_the_recipe_is_nested_only_when_asked_for(corpus: Path, cache: FeatureCache) -> None:
    assert not evaluate_recipe(corpus, Run(SMALL, cache=cache, processes=1)).nested


def test_the_report_is_one_page_and_its_figures_as_json(trained: Trained, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    for _ in range(2):
        write_report(trained.evaluation, page)
    text = page.read_text()
    assert text.count("data:image/svg+xml;base64,") == 4
    assert 'src="http' not in text
    assert json.loads(page.with_suffix(".json").read_text())["pooled"]["cold"]["clips"] == 96


def test_where_something_else_is_no_training_begins(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not empty and holds no"):
        train(corpus, tmp_path, Run(SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_report_that_cannot_be_written_is_named(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"the folder .*file does not exist; make it first"):
        write_report(trained.evaluation, tmp_path / "file" / "report.html")


def test_the_text_has_a_row_for_each_corpus_and_history(trained: Trained) -> None:
    lines = text_table(trained.evaluation).splitlines()
    names = [line.split(",")[0] for line in lines if ", warm 3" in line and "%" not in line]
    assert names == ["all", "one", "two", "F", "M", "all", "one", "two", "one", "two", "all", "held"]
    assert all(len(line) <= 150 for line in lines)


def test_the_text_says_how_much_panic_is_missed_and_how_much_of_that_is_escalated(trained: Trained) -> None:
    evaluation = trained.evaluation
    told = [line for line in text_table(evaluation).splitlines() if line.startswith("panic missed, ")]
    assert [line.removeprefix("panic missed, ").split(":")[0] for line in told] == list(evaluation.pooled)
    assert f"escalated (below {evaluation.thresholds[20]:.3f}): " in told[0]
    for history, one in evaluation.missed.items():
        assert one.share.value == pytest.approx(1 - evaluation.pooled[history].recall["panic"].value)
