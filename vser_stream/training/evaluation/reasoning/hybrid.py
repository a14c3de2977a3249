"""Whether the hybrid earns its place: beside the SVM, the mean of both opinions, and plain stackers.

What the bundled reasoner is taught is tried too, fitted anew without the speakers it is tried on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from vser_stream.core.reason.fuse import fuse
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.ports import Reasoner
from vser_stream.training.evaluation.metrics import Interval, figures, gain
from vser_stream.training.reasoner.cases import Evidence
from vser_stream.training.reasoner.teacher import beliefs_of, fit_teacher
from vser_stream.values import LABELS, Case, Probabilities

__all__ = ["Compared", "compare", "comparison_table"]

_Floats = NDArray[np.float64]

_LEAST = 0.01
_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One way to decide the ambiguous clips; the SVM decides the others."""

    way: str
    escalated: Interval
    """Macro-F1 on the ambiguous clips."""

    overall: Interval
    """Macro-F1 on all clips."""

    over_svm: Interval
    """Gain of macro-F1 on all clips."""

    over_stacker: Interval
    """The same over the logistic stacker."""


def compare(
    evidence: Evidence,
    cases: Sequence[Case],
    *,
    reasoners: dict[str, Reasoner],
    escalate_below: float,
    parts: Mapping[str, NDArray[np.bool_]],
) -> dict[str, list[Compared]]:
    """Judge the ambiguous clips in every way.

    Args:
        evidence: Folds, labels and speakers.
        cases: One of its lists.
        reasoners: By name; asked about the ambiguous clips only.
        escalate_below: Confidence of the SVM under which a clip is ambiguous.
        parts: Clips that figures are wanted of, shape (n_clips,); stackers always learn from the other folds.
    """
    svm, second = (_rows([of(case) for case in cases]) for of in (_svm, _second))
    unsure = svm.max(axis=1) < escalate_below
    told = np.hstack([np.log(np.maximum(svm, _LEAST)), np.log(np.maximum(second, _LEAST))])
    with_cues = np.hstack([told, [_distances(case) for case in cases]])
    ways = {
        "SVM": svm,
        "second opinion": second,
        "mean of both": np.sqrt(svm * second),
        "LR stacker": _stacked(told, evidence, _logistic),
        "LR stacker, cues": _stacked(with_cues, evidence, _logistic),
        "GB stacker, cues": _stacked(with_cues, evidence, _boosted),
        "what is taught, hybrid": _fused(cases, _taught(evidence, cases)),
    }
    for name, reasoner in reasoners.items():
        alone = svm.copy()
        for row in np.flatnonzero(unsure):
            belief = reasoner.judge(cases[int(row)], within=_WITHIN)
            alone[row] = [belief.of(label) for label in LABELS]
        ways[f"{name} alone"] = alone
        ways[f"{name} hybrid"] = _fused(cases, alone)
    hybrids = {name: np.where(unsure[:, np.newaxis], rows, svm) for name, rows in ways.items()}
    return {
        part: [
            _compared(name, rows, hybrids, evidence, unsure=unsure, kept=kept)
            for name, rows in hybrids.items()
        ]
        for part, kept in parts.items()
    }


def _compared(
    way: str,
    rows: _Floats,
    ways: dict[str, _Floats],
    evidence: Evidence,
    *,
    unsure: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> Compared:
    y, speakers, asked = evidence.y[kept], evidence.speakers[kept], kept & unsure
    return Compared(
        way=way,
        escalated=figures(evidence.y[asked], rows[asked], speakers=evidence.speakers[asked]).macro_f1,
        overall=figures(y, rows[kept], speakers=speakers).macro_f1,
        over_svm=gain(y, rows[kept], over=ways["SVM"][kept], speakers=speakers),
        over_stacker=gain(y, rows[kept], over=ways["LR stacker"][kept], speakers=speakers),
    )


def _svm(case: Case) -> Probabilities:
    return case.probabilities


def _second(case: Case) -> Probabilities:
    return case.second or case.probabilities


def _rows(beliefs: Sequence[Probabilities]) -> _Floats:
    return np.array([[belief.of(label) for label in LABELS] for belief in beliefs])


def _distances(case: Case) -> list[float]:
    known = {cue.name: cue.z for cue in case.cues}
    return [known.get(descriptor.name, 0.0) for descriptor in DESCRIPTORS]


def _logistic() -> LogisticRegression:
    return LogisticRegression(C=0.3, max_iter=1000)


def _boosted() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=6, min_samples_leaf=40)


def _stacked(X: _Floats, evidence: Evidence, make: Callable[[], Any]) -> _Floats:
    """Each fold by a stacker that learned from the others."""
    rows = np.zeros((len(X), len(LABELS)))
    for fold in np.unique(evidence.folds):
        unheard = evidence.folds == fold
        machine = make().fit(X[~unheard], evidence.y[~unheard])
        rows[unheard] = machine.predict_proba(X[unheard])
    return rows


def _taught(evidence: Evidence, cases: Sequence[Case]) -> _Floats:
    """Each fold by what a reasoner would be taught of the others."""
    rows = np.zeros((len(cases), len(LABELS)))
    for fold in np.unique(evidence.folds):
        unheard = evidence.folds == fold
        teacher = fit_teacher(*evidence.all_of(~unheard))
        rows[unheard] = beliefs_of(teacher, [case for case, kept in zip(cases, unheard, strict=True) if kept])
    return rows


def _fused(cases: Sequence[Case], beliefs: _Floats) -> _Floats:
    pairs = zip(cases, beliefs, strict=True)
    return _rows([fuse(case.probabilities, Probabilities(*row)) for case, row in pairs])


def comparison_table(found: Sequence[Compared]) -> str:
    """The figures as lines of text."""
    columns = f"{'their macro-F1':<24}{'all clips':<24}{'over SVM':<26}over LR stacker"
    return "\n".join([f"{'ambiguous clips decided by':<36}{columns}", *map(_line, found)])


def _line(one: Compared) -> str:
    return f"{one.way:<36}{one.escalated!s:<24}{one.overall!s:<24}{one.over_svm!s:<26}{one.over_stacker}"
