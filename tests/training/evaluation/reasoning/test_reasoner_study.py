from __future__ import annotations

import json
from html import escape
from pathlib import Path

import pytest
from support.cases import BOOK
from support.gguf_file import tiny_specialist
from support.told import invented_evidence

from vser_stream.errors import UserError
from vser_stream.training.evaluation.html_report import write_reasoners_report
from vser_stream.training.evaluation.reasoning.reasoner_study import Report, report_on, report_text
from vser_stream.training.evaluation.reasoning.steering import EDITS
from vser_stream.training.evaluation.reasoning.variants import Books
from vser_stream.training.run import Run

EVIDENCE = invented_evidence(BOOK, clips=200)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("reasoner-untaught")
    tiny_specialist(folder / "model.gguf")
    books = Books(first=BOOK, refined=BOOK)
    return report_on(EVIDENCE, Path(folder), books=books, variants=["v1", "v4"], clips=12, run=Run())


def test_every_version_is_tried_on_three_sets_of_speakers_and_the_test_set(report: Report) -> None:
    assert [(one.variant, one.subset, one.clips) for one in report.scores] == [
        (variant, subset, 12) for variant in ("v1", "v4") for subset in ("test", "set 1", "set 2", "set 3")
    ]


def test_it_is_compared_in_every_state_of_knowledge(report: Report) -> None:
    assert list(report.compared) == [
        f"{kind}, {part}"
        for kind in ("running", "cold", "spoiled")
        for part in ("test speakers", "all speakers")
    ]


def test_even_an_untaught_model_publishes_nothing_untrue(report: Report) -> None:
    assert [(one.language, one.passed) for one in report.published] == [("en", 1.0), ("vi", 1.0)]


def test_the_text_tells_all_of_it(report: Report) -> None:
    text = report_text(report)
    for told in (*EDITS, "v4", "LR stacker", "published rationales, vi"):
        assert told in text


def test_it_is_written_as_one_page_and_as_json(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_reasoners_report([report, report], page)
    html = page.read_text("utf-8")
    assert html.count("data:image/svg+xml;base64,") == 2
    assert escape(report_text(report)) in html
    assert "http://" not in html
    told = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert [set(one["compared"]) for one in told["reasoners"]] == [set(report.compared)] * 2


def test_a_page_that_cannot_be_written_is_one_line(report: Report, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"name it FILE\.html"):
        write_reasoners_report([report], tmp_path)
