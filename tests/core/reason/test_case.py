from dataclasses import replace

import pytest
from support.cases import BOOK, case, cue
from support.decisions import decision

from vser_stream.core.audio.quality import quality_of
from vser_stream.core.reason.case import case_of, ids_for, speaks_against, speaks_for
from vser_stream.core.reason.rules import NO_RULES
from vser_stream.values import Case, Label, Probabilities

HIGH, DARK = cue("pitch level", 3.0), cue("brightness", -2.0)


def test_a_case_holds_what_is_known_of_a_decision() -> None:
    of = replace(decision(panic=0.4, angry=0.5, calm=0.1), evidence=(HIGH, DARK))
    second = Probabilities(0.1, 0.2, 0.7)
    assert case_of(of, BOOK, second=second, recent=[Label.CALM]) == Case(
        probabilities=of.probabilities,
        second=second,
        cues=(HIGH, DARK),
        fired=BOOK.fired((HIGH, DARK)),
        recent=(Label.CALM,),
        snr_db=round(quality_of(of.segment).snr_db, 1),
    )


def test_rules_are_those_that_speak_for_the_label() -> None:
    of = case(HIGH, DARK, cue("intensity", 2.0))
    assert ids_for(of, Label.PANIC) == ("high-dark-voice",)
    assert ids_for(of, Label.ANGRY) == ("high-loud-voice",)
    assert ids_for(of, Label.CALM) == ()


@pytest.mark.parametrize(
    ("name", "z", "speaks"),
    [
        ("pitch level", 2.0, {Label.ANGRY, Label.PANIC}),
        ("pitch level", -2.0, {Label.CALM}),
        ("pitch level", 0.5, {Label.CALM}),
        ("pitch variability", 2.0, set()),
        ("pitch variability", 0.0, {Label.CALM}),
    ],
)
def test_without_a_rule_a_cue_speaks_for_what_arousal_makes_of_it(
    name: str, z: float, speaks: set[Label]
) -> None:
    one = cue(name, z)
    of = case(one, book=NO_RULES)
    assert {label for label in Label if speaks_for(one, label, of)} == speaks
    against = set(Label) - speaks if speaks else set()
    assert {label for label in Label if speaks_against(one, label, of)} == against


def test_a_fired_rule_says_more_than_arousal() -> None:
    of = case(HIGH, DARK)
    assert speaks_for(DARK, Label.PANIC, of)
    assert speaks_against(DARK, Label.CALM, of)
    assert speaks_against(HIGH, Label.ANGRY, of)
