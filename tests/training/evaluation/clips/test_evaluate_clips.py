from __future__ import annotations

import numpy as np

from vser_stream.training.evaluation.clips.evaluate_clips import panic_found


def test_panic_is_found_before_what_is_less_probably_panic() -> None:
    y = np.array([2, 0, 2, 1])
    belief = np.array([0.9, 0.1, 0.4, 0.6])
    probabilities = np.column_stack([1 - belief, np.zeros(4), belief])
    found, falsely = panic_found(y, probabilities)
    assert found.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert falsely.tolist() == [0.0, 0.5, 0.5, 1.0]


def test_without_panic_none_is_found() -> None:
    found, falsely = panic_found(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]]))
    assert found.tolist() == [0.0, 0.0]
    assert falsely.tolist() == [0.5, 1.0]
