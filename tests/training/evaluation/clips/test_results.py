from __future__ import annotations

import json
from dataclasses import replace

from vser_stream.training.evaluation.clips.nested import Choice
from vser_stream.training.evaluation.clips.results import Called, Curve, Evaluation, missed_text, text_table
from vser_stream.training.evaluation.metrics import Figures, Interval, Missed


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
MISSED = Missed(share=interval(0.4), as_calm=interval(0.2), escalated=interval(0.5), below=0.4567)
CURVE = Curve([0.5], [0.6], [3], [0.1, 1.0], [0.0, 0.2], [0.0, 1.0], [0.0, 0.5])
PLAIN = Evaluation("a model", {"cold": FIGURES}, {"one": {"cold": FIGURES}}, {20: 0.61234}, {"cold": CURVE})


def lines(evaluation: Evaluation) -> list[str]:
    return text_table(evaluation).splitlines()


def test_a_row_has_each_figure_under_its_title_and_a_dash_where_a_label_does_not_occur() -> None:
    table = lines(PLAIN)
    titles = next(line for line in table if "macro-F1" in line)
    row = next(line for line in table if line.startswith("all, cold"))
    assert row.split() == [
        "all,",
        "cold",
        "0.710",
        "[0.660,",
        "0.760]",
        "0.900",
        "-",
        "0.600",
        "0.041",
        "0.123",
        "120",
    ]
    ends = [titles.index(title) + len(title) for title in ("calm", "angry", "panic", "ECE", "AURC", "clips")]
    assert [row[:end].split()[-1] for end in ends] == ["0.900", "-", "0.600", "0.041", "0.123", "120"]


def test_only_what_was_measured_has_a_section() -> None:
    table = "\n".join(lines(PLAIN))
    assert not any(word in table for word in ("within", "nested", "condition", "the machines", "trained on"))
    by = {"all": {"cold": FIGURES}}
    full = replace(
        PLAIN,
        by_group={"language": {"vi": {"cold": FIGURES}}},
        alone=by,
        left_out=by,
        within=by,
        nested={"cold": FIGURES},
        unheard=by,
        conditions={"noise": {"cold": FIGURES}},
    )
    sections = [
        "by language",
        "the machines alone",
        "corpus left out (the machines alone)",
        "within corpora",
        "choice nested",
        "never learned from",
        "condition",
    ]
    found = [line for line in lines(full) if line in sections]
    assert found == sections
    assert any(line.startswith("noise, cold") for line in lines(full))
    assert any(line.startswith("vi, cold") for line in lines(full))


def test_what_a_model_was_trained_on_is_said_beside_its_figures() -> None:
    assert lines(replace(PLAIN, heard=("one", "two")))[-3].startswith("trained on one, two: figures of these")


def test_the_thresholds_are_told_last() -> None:
    assert lines(PLAIN)[-1] == "escalate: 20 % below 0.612"


def test_what_else_was_called_so_is_told_in_percent() -> None:
    table = lines(
        replace(
            PLAIN,
            false_alarms={"reading": {"cold": 0.031, "warm": 0.0}},
            lively={"laughter": Called(clips=40, angry=0.05, panic=0.1)},
            missed={"cold": MISSED},
        )
    )
    assert "calm reading called angry or panic: cold 3.1%, warm 0.0%" in table
    assert "laughter: 40 clips, angry 5.0%, panic 10.0%" in table
    assert missed_text("cold", MISSED) in table


def test_missed_panic_is_one_line_with_its_intervals() -> None:
    assert missed_text("cold", MISSED) == (
        "panic missed, cold: 40.0% [35.0%, 45.0%], called calm 20.0% [15.0%, 25.0%]; "
        "of those missed escalated (below 0.457): 50.0% [45.0%, 55.0%]"
    )


def test_all_of_it_is_plain_values() -> None:
    plain = replace(PLAIN, missed={"cold": MISSED}, chosen=[Choice("as shipped", 1.0)]).to_dict()
    again = json.loads(json.dumps(plain))
    assert again["pooled"]["cold"]["macro_f1"] == {"value": 0.71, "low": 0.71 - 0.05, "high": 0.71 + 0.05}
    assert again["chosen"] == [{"variant": "as shipped", "sharpness": 1.0}]
    assert again["curves"]["cold"]["coverage"] == [0.1, 1.0]
    assert again["thresholds"] == {"20": 0.61234}
