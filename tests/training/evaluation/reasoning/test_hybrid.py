from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.training.evaluation.reasoning.hybrid import Compared, compare, comparison_table
from vser_stream.values import LABELS, Case, Label, Probabilities

EVIDENCE = invented_evidence(BOOK)
ALL = {"all": np.ones(120, np.bool_)}


@dataclass(frozen=True)
class Knows:
    """Is told the right answer."""

    def judge(self, case: Case, *, within: float) -> Probabilities:
        assert within > 0.0
        (row,) = (row for row, one in enumerate(EVIDENCE.running) if one is case)
        return Probabilities(*(np.eye(3)[EVIDENCE.y[row]] * 0.98 + 0.02 / 3).tolist())

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        del case, label, within
        raise AssertionError("nobody asks for words here")


@cache
def compared() -> dict[str, Compared]:
    found = compare(EVIDENCE, EVIDENCE.running, reasoners={"it": Knows()}, escalate_below=0.6, parts=ALL)
    return {one.way: one for one in found["all"]}


def test_only_the_ambiguous_are_decided_otherwise() -> None:
    found = compared()
    assert found["it alone"].escalated.value == 1.0
    sure = np.array([case.probabilities.confidence >= 0.6 for case in EVIDENCE.running])
    wrong = np.array(
        [
            case.probabilities.top is not LABELS[y]
            for case, y in zip(EVIDENCE.running, EVIDENCE.y, strict=True)
        ]
    )
    assert (found["it alone"].overall.value == 1.0) == (not (sure & wrong).any())


def test_the_svm_gains_nothing_over_itself_nor_the_stacker_over_itself() -> None:
    found = compared()
    assert (found["SVM"].over_svm.low, found["SVM"].over_svm.high) == (0.0, 0.0)
    assert (found["LR stacker"].over_stacker.low, found["LR stacker"].over_stacker.high) == (0.0, 0.0)


def test_a_second_opinion_helps_who_has_only_one() -> None:
    found = compared()
    assert found["mean of both"].over_svm.value > 0.0
    assert found["LR stacker"].over_svm.value > 0.0
    assert found["what is taught, hybrid"].over_svm.value > 0.0


def test_the_table_names_every_way() -> None:
    found = list(compared().values())
    assert len(comparison_table(found).splitlines()) == 1 + len(found)
