from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.rules import NO_RULES, RuleBook
from vser_stream.training.evaluation.reasoning.variants import (
    VARIANTS,
    Books,
    Scores,
    Trial,
    try_variants,
    variants_table,
)
from vser_stream.training.reasoner.teacher import KNOWS_NOTHING
from vser_stream.values import LABELS, Case, Label, Probabilities

EVIDENCE = invented_evidence(BOOK)
TRIAL = Trial(
    EVIDENCE.running,
    EVIDENCE.y,
    EVIDENCE.speakers,
    {"set 1": np.arange(60), "test": np.arange(60, 120)},
    escalate_below=0.6,
)
FIRST = BOOK.model_copy(update={"rules": BOOK.rules[:2]})


@dataclass
class Overhears:
    """Always says panic, and keeps what it was told."""

    told: list[Case] = field(default_factory=list)

    def judge(self, case: Case, *, within: float) -> Probabilities:
        assert within > 0.0
        self.told.append(case)
        return Probabilities(0.0, 0.0, 1.0)

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        del case, label, within
        raise AssertionError("nobody asks for words here")


def tried(variant: str) -> tuple[list[Scores], list[Case], list[RuleBook]]:
    reasoner, books = Overhears(), list[RuleBook]()

    def under(book: RuleBook) -> Overhears:
        books.append(book)
        return reasoner

    found = try_variants(TRIAL, under, name="it", books=Books(first=FIRST, refined=BOOK), variants=[variant])
    return found, reasoner.told, books


def test_the_versions_are_told_what_the_paper_says() -> None:
    books = {variant: tried(variant)[2][0] for variant in VARIANTS}
    assert books == {"v1": NO_RULES, "v2": FIRST, "v3": BOOK, "v4": BOOK, "v5": NO_RULES}
    for variant in ("v1", "v2", "v3"):
        told = tried(variant)[1]
        assert {(case.probabilities, case.second) for case in told} == {(KNOWS_NOTHING, None)}
    assert not any(case.fired for case in tried("v1")[1] + tried("v5")[1])
    assert any(case.fired for case in tried("v3")[1])


def test_alone_it_is_asked_about_every_clip() -> None:
    found, told, _ = tried("v1")
    assert len(told) == 120
    assert [one.escalated for one in found] == [1.0, 1.0]
    assert [round(one.recall, 6) for one in found] == [round(1 / 3, 6)] * 2


def test_the_hybrid_asks_only_where_the_svm_is_unsure() -> None:
    unsure = np.array([case.probabilities.confidence < 0.6 for case in EVIDENCE.running])
    found, told, _ = tried("v4")
    assert len(told) == unsure.sum()
    assert [one.escalated for one in found] == [unsure[:60].mean(), unsure[60:].mean()]
    svm = np.array([case.probabilities.top for case in EVIDENCE.running])
    decided = np.where(unsure, Label.PANIC, svm)
    right = decided == np.array([LABELS[label] for label in EVIDENCE.y])
    assert [one.accuracy for one in found] == [right[:60].mean(), right[60:].mean()]


def test_the_table_has_a_line_for_each_version_and_set() -> None:
    lines = variants_table(tried("v1")[0]).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["it", "v1"]] * 2
