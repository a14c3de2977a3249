from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.fuse import fuse
from vser_stream.core.reason.prompt import RULE_GAIN
from vser_stream.training.reasoner.examples import draw_example
from vser_stream.training.reasoner.teacher import KNOWS_NOTHING, beliefs_of, fit_teacher
from vser_stream.values import Case, FiredRule, Label, Probabilities

EVIDENCE = invented_evidence(BOOK, clips=400)
CASES, Y = EVIDENCE.running, EVIDENCE.y
TEACHER = fit_teacher(CASES, Y)


def test_svm_and_teacher_together_are_right_more_often_than_the_svm() -> None:
    fresh = invented_evidence(BOOK, clips=400, seed=1)
    alone = np.array([case.probabilities.top for case in fresh.running])
    beliefs = beliefs_of(TEACHER, fresh.running)
    together = [
        fuse(case.probabilities, Probabilities(*row.tolist())).top
        for case, row in zip(fresh.running, beliefs, strict=True)
    ]
    true = np.array(list(Label))[fresh.y]
    assert np.mean(np.array(together) == true) > np.mean(alone == true) + 0.05


def test_a_rule_adds_the_log_odds_of_its_weight() -> None:
    bare = replace(CASES[0], fired=())
    ruled = replace(bare, fired=(FiredRule("one-rule", Label.PANIC, 0.6, ()),))
    before, after = (np.log(TEACHER.belief(case)) for case in (bare, ruled))
    assert np.allclose((after - before) - (after - before)[0], [0.0, 0.0, 0.6 * RULE_GAIN])


def test_without_opinions_the_cues_decide() -> None:
    mute = [replace(case, probabilities=KNOWS_NOTHING, second=None, fired=()) for case in CASES]
    told = beliefs_of(TEACHER, mute).argmax(axis=1)
    assert np.mean((told == 0) == (Y == 0)) > 0.9


def test_examples_keep_to_what_the_teacher_believes() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_example(CASES, TEACHER, rng) for _ in range(200)]
    assert [one.belief for one in drawn] == [tuple(TEACHER.belief(one.case).tolist()) for one in drawn]
    books = {tuple((rule.label, rule.weight) for rule in one.case.fired) for one in drawn}
    assert len(books) > 100
    assert {one.language for one in drawn} == {"en", "vi"}
    assert {one.rationale is None for one in drawn} == {True, False}


def test_the_same_seed_draws_the_same_examples() -> None:
    one, other = (draw_example(CASES, TEACHER, np.random.default_rng(3)) for _ in range(2))
    assert (one.case, one.label, one.rationale) == (other.case, other.label, other.rationale)


def test_what_the_rules_say_anyway_the_opinions_need_not_say_again() -> None:
    def echoed(case: Case) -> Case:
        return replace(case, fired=(FiredRule("one-rule", case.probabilities.top, 0.9, ()),))

    bare = fit_teacher([replace(case, fired=()) for case in CASES], Y)
    told = fit_teacher([echoed(case) for case in CASES], Y)
    assert np.trace(told.both[:3]) < np.trace(bare.both[:3]) - 0.5
