from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, case, cases, cue

from vser_stream.config.locations import shipped_reasoner
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import (
    CUE_WORDS,
    TOKENS,
    digest,
    evidence,
    finish,
    grounds,
    is_explainable,
    opening,
    pull,
    rules_for,
    tenths,
)
from vser_stream.core.reason.verify import check
from vser_stream.core.reason.writer import kind_of
from vser_stream.training.reasoner.rationales import teacher_rationale
from vser_stream.values import Case, FiredRule, Label, Probabilities

LABELLED = st.sampled_from(list(Label))
SPOKEN = st.sampled_from(list(Language))

CASE = case(
    cue("pitch level", 3.14, value=312.0),
    cue("brightness", -0.21, value=410.0),
    cue("jitter", 2.2, value=0.31),
    second=Probabilities(calm=0.2, angry=0.3, panic=0.5),
)


def test_the_evidence_tells_every_figure_in_a_word_of_its_own() -> None:
    assert evidence(CASE) == (
        "\nsvm calm 10% angry 50% panic 40%"
        "\nsecond calm 20% angry 30% panic 50%"
        "\ncues pitch level +3.1 brightness -0.2 tremor +2.2"
        "\nrules #1 panic 90%"
        "\ntogether calm 0% angry 0% panic 90%"
        "\nverdict:"
    )


def test_what_is_not_there_is_not_told() -> None:
    bare = Case(CASE.probabilities, None, (), (), (), 20.0)
    assert evidence(bare) == "\nsvm calm 10% angry 50% panic 40%\nverdict:"


@given(cases(), LABELLED, SPOKEN)
def test_the_prompt_is_made_of_its_own_words_only(of: Case, label: Label, language: Language) -> None:
    text = evidence(of) + opening(of, label, language)
    for token in sorted(TOKENS, key=len, reverse=True):
        text = text.replace(token, "")
    assert text == ""


def test_a_distance_is_cut_and_has_no_negative_nothing() -> None:
    assert [tenths(z) for z in (-0.04, 0.06, 7.0, -9.9)] == [" +0.0", " +0.1", " +6.0", " -6.0"]


@given(cases(), LABELLED)
def test_the_first_two_grounds_are_of_two_kinds_where_there_are_two(of: Case, label: Label) -> None:
    told = grounds(of, label)
    assert (kind_of(told[0]) is not kind_of(told[1])) == is_explainable(of, label)
    assert len(set(told)) == len(told) <= 5


def test_rules_for_the_same_label_add_less_and_less() -> None:
    rules = tuple(FiredRule(f"rule-{name}", Label.PANIC, 0.5, ()) for name in "ab")
    of = replace(CASE, fired=(*rules, FiredRule("rule-c", Label.ANGRY, 0.9, ())))
    assert [pull(of, label) for label in Label] == [0.0, 0.9, 0.75]


def test_a_rule_weighs_as_far_as_its_least_certain_cue_can_be_trusted() -> None:
    of = case(cue("pitch level", 3.0, confidence=0.5), cue("brightness", 0.0, confidence=0.9))
    assert [(rule.id, rule.weight) for rule in of.fired] == [("high-dark-voice", 0.9)]
    assert "\nrules #1 panic 45%" in evidence(of)
    assert pull(of, Label.PANIC) == pytest.approx(0.45)


def test_a_rule_is_read_by_its_id_and_a_figure_with_its_unit() -> None:
    raw = " pitch level +3.1 is well above the usual and tremor +2.2 is well above it; rule #1 applies."
    assert finish(raw, CASE, Language.EN) == (
        "Pitch level 312 Hz (+3.1 SD) is well above the usual and jitter 0.31 semitones (+2.2 SD) "
        f"is well above it; rule {CASE.fired[0].id} applies."
    )


def test_a_cue_may_be_renamed_without_another_model() -> None:
    """The words of the shipped model's vocabulary are not those people read."""
    manifest = tomllib.loads((shipped_reasoner() / "manifest.toml").read_text())
    assert digest() == manifest["prompt"]
    assert CUE_WORDS[Language.VI]["jitter"] == "độ rung giọng"
    raw = " độ rung giọng +2.2 cao hơn rõ so với mức thường ngày và độ to không rõ."
    assert finish(raw, CASE, Language.VI) == (
        "Chỉ số jitter 0,31 nửa cung (+2,2 SD) cao hơn rõ so với mức thường ngày và cường độ không rõ."
    )


def test_a_wrong_figure_is_not_made_right() -> None:
    wrong = finish(" pitch level +9.9 is far above the usual.", CASE, Language.EN)
    assert wrong == "Pitch level +9.9 is far above the usual."
    assert check(wrong, CASE, Label.PANIC, book=BOOK).wrong > 0


@given(cases(), LABELLED, SPOKEN, st.integers(0, 2**32))
def test_every_teacher_rationale_passes_the_checker(
    of: Case, label: Label, language: Language, seed: int
) -> None:
    if is_explainable(of, label):
        raw = teacher_rationale(of, label, language, np.random.default_rng(seed))
        assert check(finish(raw, of, language), of, label, book=BOOK).faults == ()


@given(cases(), LABELLED)
def test_only_rules_that_fired_for_the_label_can_be_named(of: Case, label: Label) -> None:
    told = [of.fired[int(number.removeprefix(" #")) - 1].label for number in rules_for(of, label)]
    assert set(told) <= {label}
