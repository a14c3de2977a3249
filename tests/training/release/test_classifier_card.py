from __future__ import annotations

import re
from dataclasses import replace

import pytest

from vser_stream.training.evaluation.clips.nested import Choice
from vser_stream.training.evaluation.clips.results import Called, Curve, Evaluation, missed_text
from vser_stream.training.evaluation.metrics import Figures, Interval, Missed
from vser_stream.training.release.classifier_card import Corpus, model_card
from vser_stream.values import ANSWERS


def interval(value: float) -> Interval:
    return Interval(value, value - 0.05, value + 0.05)


FIGURES = Figures(
    clips=120,
    speakers=8,
    macro_f1=interval(0.71),
    recall={"calm": interval(0.9), "panic": interval(0.6)},
    confusion=((90, 10, 0), (0, 0, 0), (4, 4, 12)),
    ece=interval(0.0412),
    brier=interval(0.3),
    aurc=interval(0.123),
)
CURVE = Curve([0.5], [0.6], [3], [1.0], [0.2], [1.0], [0.5])
PLAIN = Evaluation("m", {"cold": FIGURES}, {"one": {"warm": FIGURES}}, {20: 0.61234}, {"cold": CURVE})
ONE = Corpus("one", "vi", 8, {answer: place for place, answer in enumerate(ANSWERS)}, "CC BY-NC")
ROW = "| 0.710 [0.660, 0.760] | 0.900 | - | 0.600 | 0.041 | 0.300 | 0.123 | 120 |"


def card(evaluation: Evaluation = PLAIN, *corpora: Corpus, studies: dict[str, str] | None = None) -> str:
    return model_card(
        "mine",
        version="1.2.3",
        corpora=corpora or (ONE,),
        evaluation=evaluation,
        default_share=20,
        studies=studies or {},
    )


def test_it_says_first_whose_it_is_and_that_it_is_no_medical_device() -> None:
    text = card()
    assert text.startswith("# mine 1.2.3\n")
    assert "**Not a medical device.**" in text
    assert not re.search(r"\{\w+\}", text), "every place is filled"


def test_each_corpus_has_a_row_with_its_clips_and_its_licence() -> None:
    other = replace(ONE, name="two", language="en, de", licence="not stated")
    text = card(PLAIN, ONE, other)
    assert "| one | vi | 8 | 0 | 1 | 2 | 3 | 4 | CC BY-NC |" in text
    assert "| two | en, de | 8 | 0 | 1 | 2 | 3 | 4 | not stated |" in text
    assert "Languages: en, de, vi." in text


def test_figures_stand_in_tables_by_corpus_and_history() -> None:
    text = card()
    assert f"| all | cold {ROW}" in text
    assert f"| one | warm {ROW}" in text


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        ({"left_out": {"alone": {"cold": FIGURES}}}, f"| alone | cold {ROW}"),
        ({"within": {"inside": {"cold": FIGURES}}}, f"| inside | cold {ROW}"),
        ({"unheard": {"never": {"cold": FIGURES}}}, f"| never | cold {ROW}"),
        ({"conditions": {"noise": {"cold": FIGURES}}}, f"| noise | cold {ROW}"),
        ({"nested": {"cold": FIGURES}}, f"| choice nested | cold {ROW}"),
        ({"by_group": {"language": {"vi": {"cold": FIGURES}}}}, f"| vi | cold {ROW}"),
        ({"false_alarms": {"reading": {"cold": 0.031}}}, "reading: cold 3.1%"),
        ({"lively": {"laughter": Called(40, 0.05, 0.1)}}, "| laughter | 40 | 5.0% | 10.0% |"),
        ({"chosen": [Choice("c x 3", 1.2)]}, "c x 3 (sharpness 1.2)"),
    ],
)
def test_what_was_measured_is_told_and_what_was_not_is_said_to_be_missing(
    measured: dict[str, object], says: str
) -> None:
    without, with_it = card(), card(replace(PLAIN, **measured))  # type: ignore[arg-type]  # by its name
    assert says not in without
    assert says in with_it
    assert len(with_it.splitlines()) >= len(without.splitlines())
    assert without != with_it


def test_a_model_with_a_second_look_says_what_it_is_and_how_to_make_it() -> None:
    looks = card(replace(PLAIN, alone={"all": {"cold": FIGURES}}))
    assert "second_look.onnx" in looks
    assert "--no-second-look" not in looks
    assert "has no second look" in card()
    assert "--no-second-look" in card()


def test_missed_panic_and_thresholds_are_those_of_the_table() -> None:
    missed = Missed(interval(0.4), interval(0.2), interval(0.5), below=0.45)
    text = card(replace(PLAIN, missed={"cold": missed}))
    assert f"- {missed_text('cold', missed)}" in text
    assert "20 % below 0.612" in text
    assert "unless configured otherwise: 20 %" in text


def test_studies_stand_under_their_names_as_they_were_written() -> None:
    text = card(studies={"homes": "a | table\n", "baselines": "another"})
    assert "### homes\n\n```text\na | table\n```" in text
    assert "### baselines\n\n```text\nanother\n```" in text
    assert "None was added." in card()
