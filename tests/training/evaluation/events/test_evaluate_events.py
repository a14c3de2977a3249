"""The whole path on a synthetic corpus: models by fold, homes, pipeline, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.corpora import speak, write_corpus, write_sounds
from support.second_look import add_second_look, second_look

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.state import Transition
from vser_stream.core.decide import Decider
from vser_stream.core.features.extract import Extractor
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.training.classifier.export import to_graph
from vser_stream.training.classifier.fit import fit
from vser_stream.training.classifier.material import Material, table_of
from vser_stream.training.data.corpus import read_corpora, read_manifest, sides_of
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.evaluation.events import homes
from vser_stream.training.evaluation.events.evaluate_events import (
    Composed,
    _by_corpus,
    evaluate_scenes,
    events_figure,
    events_table,
)
from vser_stream.training.evaluation.events.event_metrics import EventEvaluation
from vser_stream.training.evaluation.events.event_scoring import alarms
from vser_stream.training.evaluation.events.homes import (
    ALONE,
    Heard,
    Home,
    Model,
    _cast,
    _enrolled,
    decisions_of,
    furnish,
    listen,
)
from vser_stream.training.evaluation.html_report import write_events_report
from vser_stream.training.recipe import Recipe
from vser_stream.training.release.train_classifier import CardOptions, train
from vser_stream.training.run import Run
from vser_stream.training.simulation.in_home_clips import SIDES
from vser_stream.training.simulation.scenes import Scene, compose
from vser_stream.values import FRAME, LABELS, RATE, Probabilities

SMALL = Recipe(calibration_folds=2, folds=2, longest=2, copies=0, takes=0, exclude=(), calm_only=())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), speakers=5, clips=5)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sounds(tmp_path_factory.mktemp("sounds"), each=5)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), processes=1)


@pytest.fixture(scope="module")
def home(corpus: Path, cache: FeatureCache) -> Home:
    clips = read_manifest(corpus)
    table = table_of(clips, cache)
    known = table.speakers != "s0"
    fitted = fit(Material(table.where(known)), SMALL, seed=0)
    own = [clip for clip in clips if clip.speaker == "s0"]
    return furnish(own, Model(to_graph(fitted), fitted.prior), homes=1, seed=0)[0]


@pytest.fixture(scope="module")
def evaluation(corpus: Path, sounds: Path, cache: FeatureCache) -> EventEvaluation:
    return evaluate_scenes(
        [corpus, sounds], Run(SMALL, cache=cache, processes=1), composed=Composed(homes=2, minutes=3)
    )


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def both(home: Home, scenes: Path) -> list[Heard]:
    return listen(home, minutes=2, folder=scenes)


def test_the_pipeline_hears_the_same_home_cold_and_warm(both: list[Heard]) -> None:
    cold, warm = both
    assert (cold.mode, warm.mode) == ("cold", "warm 3")
    assert (cold.events, cold.sounds) == (warm.events, warm.sounds)
    assert cold.seconds == warm.seconds == 120.0
    assert len(cold.decisions) > 5
    assert [it.probabilities for _, it in cold.decisions] != [it.probabilities for _, it in warm.decisions]


def test_a_home_that_was_listened_to_is_not_measured_again_and_sounds_the_same(
    home: Home, both: list[Heard], scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Extractor, "extract")
    monkeypatch.setattr(homes, "_enrolled", lambda *_: Baseline.from_prior(home.model.prior))
    again = listen(home, minutes=2, folder=scenes)
    assert told(again[0]) == told(both[0])
    assert len(again[1].decisions) == len(both[1].decisions)


def test_what_is_recalled_is_what_a_pipeline_without_a_memory_measures(home: Home, both: list[Heard]) -> None:
    scene = compose(_cast(home), minutes=2, seed=home.seed)
    judge, tracker = home.model.judge(), SwiftF0Tracker()
    for heard, baseline in zip(
        both, (None, _enrolled(scene, home.model.prior, Extractor(tracker))), strict=True
    ):
        assert told(heard) == told(
            replace(heard, decisions=decisions_of(scene, Decider(judge, tracker, baseline=baseline)))
        )


def told(heard: Heard) -> list[tuple[float, Probabilities]]:
    return [(at, decision.probabilities) for at, decision in heard.decisions]


def test_what_was_heard_holds_no_audio(both: list[Heard]) -> None:
    for heard in both:
        assert all(len(decision.segment.pcm) == 0 for _, decision in heard.decisions)


def test_the_alarm_run_again_gives_what_the_live_pipeline_gives(home: Home) -> None:
    rng = np.random.default_rng(0)
    said = [speak(label, pitch=150, rng=rng) for label in LABELS for _ in range(12)]
    pcm = np.concatenate([*said, np.zeros(70 * RATE, np.int16), *said])
    scene = Scene(pcm=pcm, sounds=(), events=(), enrolment=())
    judge, tracker = home.model.judge(), SwiftF0Tracker()
    again = alarms(decisions_of(scene, Decider(judge, tracker)), config=AlarmConfig(), end=len(pcm) / RATE)
    pipeline = Pipeline(Decider(judge, tracker), WebRtcVad(), alarm=AlarmConfig().unattended)
    outcomes = [it for block in scene.blocks() for it in pipeline.feed(block)] + pipeline.flush()
    live = [(it.now, it.what) for it in outcomes if isinstance(it.what, Transition)]
    assert {change.event for _, change in live} >= {"raised", "cleared"}
    assert [(it.event, it.level) for _, it in again] == [(it.event, it.level) for _, it in live]
    assert [at for at, _ in again] == pytest.approx([at for at, _ in live], abs=FRAME / RATE)


def test_a_recipe_is_judged_by_models_that_have_not_heard_the_home(evaluation: EventEvaluation) -> None:
    assert evaluation.subject == "recipe, 3 folds of people and sounds"
    assert evaluation.homes == 2
    assert evaluation.hours == pytest.approx(6 / 60)
    assert list(evaluation.detections) == ["cold", "warm 3"]
    assert sum(it.events for it in evaluation.detections["cold"].values()) >= 2
    assert list(evaluation.quiet) == ["talk", "meeting", "radio"]
    assert sum(it.homes for it in evaluation.corpora.values()) == 2


def test_corpora_are_left_out_whole_with_all_that_was_heard_with_them(corpus: Path, sounds: Path) -> None:
    clips = [
        replace(clip, corpus="two") if clip.speaker in {"s1", "s3"} else clip
        for clip in read_corpora([corpus, sounds])
    ]
    for split in _by_corpus(clips):
        spoken = [clip for clip in clips if clip.spoken]
        known = [spoken[index] for index in split.known]
        sides = sides_of(clips, SIDES)
        assert split.corpus not in {clip.corpus for clip in known}
        assert {clip.person for clip in known}.isdisjoint(clip.person for clip in split.unheard)
        mine = {sides[clip.person] for clip in split.unheard if clip.corpus != split.corpus}
        assert mine.isdisjoint(sides[clip.person] for clip in known)
    assert [split.corpus for split in _by_corpus(clips)] == ["one", "two"]


def test_a_trained_model_is_judged_as_it_was_exported_and_beside_it_without_its_second_look(
    corpus: Path, cache: FeatureCache, tmp_path: Path
) -> None:
    run = Run(SMALL, cache=cache, processes=1)
    trained = train(corpus, tmp_path / "mine", run, card=CardOptions(thorough=False), second_look=False)
    with_look = add_second_look(trained.folder, second_look(answer="panic"))
    found = evaluate_scenes(corpus, run, model=with_look, composed=Composed(homes=1, minutes=2))
    assert found.subject == f"mine {trained.version}"
    assert found.homes == 1
    assert list(found.detections) == ["cold", "warm 3", ALONE]


def test_what_a_second_look_brings_is_told_by_the_same_home_without_it(home: Home, scenes: Path) -> None:
    model = replace(home.model, look=replace(second_look(answer="panic"), unless_calm=1.0))
    heard = {one.mode: told(one) for one in listen(replace(home, model=model), minutes=2, folder=scenes)}
    alone = {one.mode: told(one) for one in listen(home, minutes=2, folder=scenes)}
    assert list(heard) == ["cold", "warm 3", ALONE]
    assert heard[ALONE] == alone["cold"]
    panic = [sum(believed.panic for _, believed in heard[mode]) for mode in ("cold", ALONE)]
    assert panic[0] > panic[1]


def test_the_text_shows_the_whole_curve(evaluation: EventEvaluation) -> None:
    lines = events_table(evaluation).splitlines()
    assert lines[0] == "recipe, 3 folds of people and sounds: 2 homes, 0.1 h of audio"
    assert sum("    x " in line for line in lines) == 2 * 21
    assert sum("alone" in line for line in lines) == 3
    assert all(len(line) <= 160 for line in lines)


def test_the_figure_has_a_curve_and_the_times_of_each_level(evaluation: EventEvaluation) -> None:
    titles = [axes.get_title() for axes in events_figure(evaluation).axes]
    assert titles == [
        "panic: events told", "panic: time to alert", "scream: events told", "scream: time to alert",
        "angry: events told", "angry: time to alert",
    ]  # fmt: skip


def test_the_report_is_one_page_and_its_figures_as_json(evaluation: EventEvaluation, tmp_path: Path) -> None:
    write_events_report(evaluation, tmp_path / "events.html")
    text = (tmp_path / "events.html").read_text()
    assert text.count("data:image/svg+xml;base64,") == 1
    assert "intervals over homes" in text
    assert json.loads((tmp_path / "events.json").read_text())["homes"] == 2
