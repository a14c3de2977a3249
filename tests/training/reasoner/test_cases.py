from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cases import BOOK
from support.corpora import write_corpus
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it comes without types

from vser_stream.core.reason.rules import NO_RULES
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.reasoner.cases import Evidence, evidence_of_corpus
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run
from vser_stream.values import LABELS, Case, Label

SMALL = Recipe(calibration_folds=2, folds=2, longest=2, takes=0, exclude=("held",), calm_only=())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), speakers=8, clips=3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), processes=2)


@pytest.fixture(scope="module")
def evidence(corpus: Path, cache: FeatureCache) -> Evidence:
    with threadpool_limits(1):
        return evidence_of_corpus(corpus, BOOK, Run(SMALL, cache=cache, processes=1))


def test_no_speaker_is_judged_by_models_that_heard_him(evidence: Evidence) -> None:
    halves = [set(evidence.speakers[evidence.folds == fold]) for fold in (0, 1)]
    assert halves[0].isdisjoint(halves[1])
    assert len(halves[0] | halves[1]) == 8


def test_both_opinions_are_right_about_voices_far_apart(evidence: Evidence) -> None:
    true = np.array([LABELS[label] for label in evidence.y])
    for kind in (evidence.running, evidence.cold):
        seconds = [case.second or case.probabilities for case in kind]
        assert np.mean(np.array([case.probabilities.top for case in kind]) == true) > 0.8
        assert np.mean(np.array([one.top for one in seconds]) == true) > 0.8
        assert all(one is not case.probabilities for one, case in zip(seconds, kind, strict=True))


def test_a_cold_agent_learns_nothing_and_a_running_one_does(evidence: Evidence) -> None:
    def heard_calm(cases: list[Case]) -> int:
        return sum(any(cue.name == "intensity" for cue in case.cues) for case in cases)

    assert heard_calm(evidence.cold) == 0
    assert heard_calm(evidence.running) > len(evidence.running) / 2
    assert all(len(case.recent) <= 3 for case in evidence.running)


def test_rules_that_fired_are_told(evidence: Evidence) -> None:
    assert [case.fired for case in evidence.running] == [BOOK.fired(case.cues) for case in evidence.running]
    assert any(rule.label is Label.PANIC for case in evidence.running for rule in case.fired)


def test_what_was_computed_once_is_not_computed_again_for_other_rules(
    evidence: Evidence, corpus: Path, cache: FeatureCache
) -> None:
    stages = []

    def progress(stage: str, _done: int, _total: int) -> None:
        stages.append(stage)

    again = evidence_of_corpus(corpus, NO_RULES, Run(SMALL, cache=cache, processes=1, progress=progress))
    assert "evidence" not in stages
    assert again.running == [replace(case, fired=()) for case in evidence.running]
    assert not any(case.fired for case in (*again.cold, *again.spoiled))


def test_what_names_a_module_that_is_gone_is_computed_again(
    evidence: Evidence, corpus: Path, cache: FeatureCache
) -> None:
    (file,) = cache.folder.rglob("*.joblib")
    file.write_bytes(b"cvser_stream.gone\nEvidence\n.")
    with threadpool_limits(1):
        again = evidence_of_corpus(corpus, BOOK, Run(SMALL, cache=cache, processes=1))
    assert again.running == evidence.running


def test_some_clips_are_told_in_all_three_ways(evidence: Evidence) -> None:
    cases, y = evidence.all_of(evidence.folds == 1)
    assert len(cases) == len(y) == 3 * np.sum(evidence.folds == 1)
