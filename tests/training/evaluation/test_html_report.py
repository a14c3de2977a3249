from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from vser_stream.errors import DataError, UserError
from vser_stream.training.evaluation.clips.results import Curve, Evaluation, text_table
from vser_stream.training.evaluation.html_report import check_report, write_report
from vser_stream.training.evaluation.metrics import Figures, Interval

SCORE = Interval(0.7, 0.6, 0.8)
FIGURES = Figures(
    clips=20,
    speakers=4,
    macro_f1=SCORE,
    recall={"calm": SCORE, "angry": SCORE, "panic": SCORE},
    confusion=((8, 1, 0), (1, 4, 1), (0, 0, 5)),
    ece=SCORE,
    brier=SCORE,
    aurc=SCORE,
)
CURVE = Curve([0.5, 0.9], [0.6, 0.9], [3, 5], [0.1, 1.0], [0.0, 0.2], [0.0, 1.0], [0.0, 0.5])
EVALUATION = Evaluation(
    "a model <of> mine & yours", {"cold": FIGURES}, {"one": {"cold": FIGURES}}, {20: 0.6}, {"cold": CURVE}
)


class Read(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.text: dict[str, str] = {}
        self.images: list[str] = []
        self._open = ""
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")

    def handle_data(self, data: str) -> None:
        self.text[self._open] = self.text.get(self._open, "") + data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(EVALUATION, path)
    return path


def test_the_page_says_all_that_the_table_says_whatever_a_model_is_called(page: Path) -> None:
    read = Read(page)
    assert read.text["title"].strip() == read.text["h1"].strip() == EVALUATION.subject
    assert read.text["pre"].strip() == text_table(EVALUATION).strip()


def test_the_page_needs_no_other_file_and_fetches_nothing(page: Path) -> None:
    images = Read(page).images
    assert len(images) == len(EVALUATION.curves)
    for image in images:
        head, _, data = image.partition(",")
        assert head == "data:image/svg+xml;base64"
        assert ET.fromstring(base64.b64decode(data)).tag.endswith("svg")  # noqa: S314 - our own
    assert not re.search(r"(?:src|href)=\"(?!data:)", page.read_text())
    assert "http" not in re.sub(r"data:image[^\"]*", "", page.read_text())


def test_the_figures_lie_beside_it_and_say_who_wrote_them(page: Path) -> None:
    figures = json.loads(page.with_suffix(".json").read_text())
    assert figures["made_by"] == "vser-stream evaluate"
    assert figures["pooled"]["cold"]["confusion"] == [[8, 1, 0], [1, 4, 1], [0, 0, 5]]
    assert figures["subject"] == EVALUATION.subject


def test_a_report_may_be_written_anew(page: Path) -> None:
    check_report(page)
    write_report(replace(EVALUATION, subject="another"), page)
    assert Read(page).text["title"].strip() == "another"
    write_report(EVALUATION, page)


@pytest.mark.parametrize("name", ["report.txt", "report", "report.json", "html"])
def test_a_report_is_a_page(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=re.escape(name)):
        check_report(tmp_path / name)


@pytest.mark.parametrize("name", ["theirs.html", "theirs.json"])
def test_nobody_else_s_file_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<!doctype html>\nmy homework")
    with pytest.raises(UserError, match=re.escape(name)):
        write_report(EVALUATION, tmp_path / "theirs.html")
    assert (tmp_path / name).read_text().endswith("my homework")
    assert len(list(tmp_path.iterdir())) == 1, "and nothing is left half done"


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises((UserError, DataError), match="nowhere"):
        check_report(tmp_path / "nowhere" / "report.html")
