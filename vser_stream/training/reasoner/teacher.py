"""What the bundled reasoner is taught to believe: both opinions weighed, then moved by the rules.

The weights are fitted so that the reasoner and the SVM *together* (core.reason.fuse) are as right as
they can be with the rules counted in: what the rules say of most voices anyway, the opinions no
longer have to. So the reasoner is a plain stacker of both opinions made readable, and steerable by
rules. Where it is told no opinion at all, it is taught what the cues alone say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from vser_stream.core.reason.prompt import FARTHEST, RULE_GAIN, pull
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.values import LABELS, Case, Probabilities

__all__ = ["KNOWS_NOTHING", "Teacher", "beliefs_of", "fit_teacher"]

_Floats = NDArray[np.float64]

KNOWS_NOTHING = Probabilities(1 / 3, 1 / 3, 1 / 3)
"""The opinion of a classifier that was not asked."""

_LEAST = 0.01
"""Least probability that is believed: an opinion is told in whole percents."""

_RIDGE = 3e-4
"""Pull of the weights towards the mean of both opinions; from 1e-4 to 1e-3 nothing changes."""

_CUES_C = 0.05
_NAMES = tuple(descriptor.name for descriptor in DESCRIPTORS)


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """Weights of the log probabilities of the two opinions, and of the cues."""

    both: _Floats
    """From those of the SVM, then of the second opinion, shape (6, 3)."""

    alone: _Floats
    """From those of the SVM where there is no second opinion, shape (3, 3)."""

    cues: _Floats
    """Of the distances from calm and a bias, shape (n_cues + 1, 3)."""

    def belief(self, case: Case) -> _Floats:
        """Probability of each label, shape (3,)."""
        rules = RULE_GAIN * np.array([pull(case, label) for label in LABELS])
        return _softmax(self._opinion(case) + rules)

    def _opinion(self, case: Case) -> _Floats:
        if case.probabilities == KNOWS_NOTHING and case.second is None:
            return np.asarray(np.append(_distances(case), 1.0) @ self.cues)
        svm = _log(case.probabilities)
        if case.second is None:
            return np.asarray(svm @ self.alone)
        return np.asarray(np.concatenate([svm, _log(case.second)]) @ self.both)


def fit_teacher(cases: Sequence[Case], y: NDArray[np.int64]) -> Teacher:
    """Fit on cases of clips whose speakers neither opinion has heard.

    Args:
        cases: With a second opinion.
        y: True labels as indices into ``LABELS``, shape (n_cases,).
    """
    svm = np.array([_log(case.probabilities) for case in cases])
    second = np.array([_log(case.second or KNOWS_NOTHING) for case in cases])
    rules = RULE_GAIN * np.array([[pull(case, label) for label in LABELS] for case in cases])
    distances = np.array([_distances(case) for case in cases])
    machine = LogisticRegression(C=_CUES_C, max_iter=1000).fit(distances, y)
    return Teacher(
        both=_weights(np.hstack([svm, second]), y, svm=svm, rules=rules),
        alone=_weights(svm, y, svm=svm, rules=rules),
        cues=np.vstack([machine.coef_.T, machine.intercept_]),
    )


def beliefs_of(teacher: Teacher, cases: Sequence[Case]) -> _Floats:
    """Probabilities of many cases, shape (n_cases, 3)."""
    return np.array([teacher.belief(case) for case in cases])


def _weights(opinions: _Floats, y: NDArray[np.int64], *, svm: _Floats, rules: _Floats) -> _Floats:
    """Weights of opinions, shape (n, m), under which the fused verdict is most likely right, shape (m, 3).

    There is no bias: it would follow the corpora and not the world.
    """
    labels = np.eye(len(LABELS))
    last = np.vstack([np.zeros((opinions.shape[1] - len(LABELS), len(LABELS))), labels])
    right = labels[y]

    def loss(flat: _Floats) -> tuple[float, _Floats]:
        weights = flat.reshape(last.shape)
        told = _softmax((opinions @ weights + rules + svm) / 2.0)
        missed = -np.mean(np.log(told[right > 0.0] + 1e-12)) + _RIDGE * np.sum((weights - last) ** 2)
        slope = opinions.T @ (told - right) / (2.0 * len(y)) + 2.0 * _RIDGE * (weights - last)
        return float(missed), slope.ravel()

    return np.asarray(minimize(loss, last.ravel(), jac=True).x).reshape(last.shape)


def _log(belief: Probabilities) -> _Floats:
    return np.log(np.maximum([belief.of(label) for label in LABELS], _LEAST))


def _distances(case: Case) -> _Floats:
    known = {cue.name: cue.z for cue in case.cues}
    return np.clip([known.get(name, 0.0) for name in _NAMES], -FARTHEST, FARTHEST) / FARTHEST


def _softmax(logits: _Floats) -> _Floats:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))
