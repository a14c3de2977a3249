"""Drawn examples are like the real ones where they must be, and like nothing else where they may."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import FARTHEST, MOST_RULES, TOKENS, evidence, is_explainable
from vser_stream.training.reasoner.examples import draw_case, draw_example
from vser_stream.training.reasoner.teacher import KNOWS_NOTHING, fit_teacher
from vser_stream.values import LABELS, Case

CASES, Y = invented_evidence(BOOK).all_of(np.ones(60, bool))
TEACHER = fit_teacher(CASES, Y)


def drawn(count: int, seed: int = 0) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [draw_case(CASES, rng) for _ in range(count)]


def test_the_same_seed_draws_the_same_and_another_one_others() -> None:
    def told(seed: int) -> list[str]:
        return [evidence(case) for case in drawn(30, seed)]

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_a_drawn_case_can_be_told_in_the_words_of_the_prompt() -> None:
    for case in drawn(200):
        text = evidence(case)
        for token in sorted(TOKENS, key=len, reverse=True):
            text = text.replace(token, "")
        assert text == ""


def test_whatever_is_drawn_is_a_case_that_could_be() -> None:
    for case in drawn(300):
        assert sum(case.probabilities.of(label) for label in LABELS) == pytest.approx(1.0)
        assert case.second is None or sum(case.second.by_label.values()) == pytest.approx(1.0)
        assert case.cues
        assert all(abs(cue.z) <= FARTHEST for cue in case.cues)
        assert len({cue.name for cue in case.cues}) == len(case.cues)
        assert len(case.fired) <= MOST_RULES
        assert [rule.weight for rule in case.fired] == sorted((r.weight for r in case.fired), reverse=True)
        cited = {name for rule in case.fired for name in rule.cues}
        assert cited <= {cue.name for cue in case.cues}, "no rule fires over a cue that was not told"


def test_some_are_asked_of_the_cues_alone_and_some_without_a_second_opinion() -> None:
    cases = drawn(3000)
    alone = sum(case.probabilities == KNOWS_NOTHING and case.second is None for case in cases)
    single = sum(case.second is None for case in cases) - alone
    assert alone / len(cases) == pytest.approx(0.1, abs=0.03)
    assert single / len(cases) == pytest.approx(0.1, abs=0.03)


def test_rule_books_are_like_no_other() -> None:
    cases = drawn(500)
    ids = Counter(rule.id for case in cases for rule in case.fired)
    real = {rule.id for rule in BOOK.rules}
    assert {"drawn-first", "drawn-second"} < ids.keys()
    assert ids.keys() - {"drawn-first", "drawn-second"} <= real
    of_the_book = {rule.id: rule.label for rule in BOOK.rules}
    moved = [
        rule
        for case in cases
        for rule in case.fired
        if rule.id in real and rule.label != of_the_book[rule.id]
    ]
    assert moved, "a model that learned a rule by heart must be wrong"
    assert any(not case.fired for case in cases)


def test_an_example_is_taught_the_belief_of_the_teacher() -> None:
    rng = np.random.default_rng(3)
    examples = [draw_example(CASES, TEACHER, rng) for _ in range(400)]
    for example in examples:
        assert example.belief == tuple(TEACHER.belief(example.case).tolist())
    believed = np.mean([example.belief[LABELS.index(example.label)] for example in examples])
    assert believed > 1 / 3, "the verdict is mostly one that is believed"
    assert {example.language for example in examples} == set(Language)
    assert {example.label for example in examples} == set(LABELS)


def test_a_rationale_is_true_and_given_only_where_there_is_one() -> None:
    rng = np.random.default_rng(4)
    examples = [draw_example(CASES, TEACHER, rng) for _ in range(400)]
    given = [example for example in examples if example.rationale is not None]
    assert all(is_explainable(example.case, example.label) for example in given)
    can = sum(is_explainable(example.case, example.label) for example in examples)
    assert len(given) / can == pytest.approx(0.6, abs=0.1)
    silent = [example for example in examples if example.rationale is None]
    assert any(is_explainable(example.case, example.label) for example in silent)
