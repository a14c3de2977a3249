from __future__ import annotations

import numpy as np
import pytest

from vser_stream.training.evaluation.metrics import (
    confusion,
    figures,
    gain,
    missed,
    reliability,
    risk_coverage,
    share,
)

CALM, ANGRY, PANIC = np.eye(3)


def sure(of: int, confidence: float) -> list[float]:
    rest = (1 - confidence) / 2
    return [confidence if label == of else rest for label in range(3)]


Y = np.array([0, 0, 1, 1, 2, 2])
P = np.array([sure(0, 0.95), sure(1, 0.55), sure(1, 0.95), sure(1, 0.75), sure(2, 0.95), sure(0, 0.5)])
SPEAKERS = np.array(["a", "b", "a", "b", "a", "b"])


def test_the_confusion_has_a_row_for_each_true_label() -> None:
    assert confusion(Y, P.argmax(axis=1)).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


def test_figures_are_what_their_definitions_say() -> None:
    found = figures(Y, P, speakers=SPEAKERS)
    assert (found.clips, found.speakers) == (6, 2)
    assert found.confusion == ((1, 1, 0), (0, 2, 0), (1, 0, 1))
    # F1 of calm 2*1/(2+2), of angry 2*2/(3+2), of panic 2*1/(1+2).
    assert found.macro_f1.value == pytest.approx((2 / 4 + 4 / 5 + 2 / 3) / 3)
    assert {label: it.value for label, it in found.recall.items()} == {
        "calm": 0.5,
        "angry": 1.0,
        "panic": 0.5,
    }
    # Bins of 1/15: three right at 0.95, one right at 0.75, one wrong at 0.55, one wrong at 0.5.
    assert found.ece.value == pytest.approx((3 * 0.05 + 0.25 + 0.55 + 0.5) / 6)
    right = [(1 - c) ** 2 + (1 - c) ** 2 / 2 for c in (0.95, 0.95, 0.75, 0.95)]
    wrong = [(1 - (1 - c) / 2) ** 2 + c**2 + ((1 - c) / 2) ** 2 for c in (0.55, 0.5)]
    assert found.brier.value == pytest.approx(sum(right + wrong) / 6)
    assert found.aurc.value == pytest.approx((0 + 0 + 0 + 0 + 1 / 5 + 2 / 6) / 6)


def test_macro_f1_is_over_the_labels_that_occur() -> None:
    found = figures(
        np.array([0, 0, 1, 1]), np.array([CALM, CALM, ANGRY, ANGRY]), speakers=np.array(list("abab"))
    )
    assert found.macro_f1.value == 1.0
    assert set(found.recall) == {"calm", "angry"}


def test_intervals_are_over_speakers_not_clips() -> None:
    """Of two speakers one is always right and one always wrong: a draw of one of them is 0 or 1."""
    y = np.zeros(200, np.int64)
    p = np.array([CALM] * 100 + [PANIC] * 100)
    found = figures(y, p, speakers=np.array(["a"] * 100 + ["b"] * 100))
    assert (found.recall["calm"].value, found.recall["calm"].low, found.recall["calm"].high) == (
        0.5,
        0.0,
        1.0,
    )


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert figures(Y, P, speakers=SPEAKERS, seed=3) == figures(Y, P, speakers=SPEAKERS, seed=3)


def test_risk_coverage_takes_the_most_confident_first() -> None:
    coverage, risk = risk_coverage(Y, P)
    assert coverage.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    assert risk.tolist() == pytest.approx([0, 0, 0, 0, 1 / 5, 2 / 6])


def test_reliability_leaves_out_empty_bins() -> None:
    confidence, right, clips = reliability(Y, P)
    assert clips.tolist() == [1, 1, 1, 3]
    assert confidence.tolist() == pytest.approx([0.5, 0.55, 0.75, 0.95])
    assert right.tolist() == [0, 0, 1, 1]


def test_a_gain_is_taken_on_the_same_draws() -> None:
    """Where two sets of decisions differ by the same for every speaker, every draw has that gain."""
    y, speakers = np.array([0, 1, 0, 1]), np.array(list("aabb"))
    right, wrong = np.array([CALM, ANGRY] * 2), np.array([ANGRY, CALM] * 2)
    found = gain(y, right, over=wrong, speakers=speakers)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    one = figures(Y, P, speakers=SPEAKERS).macro_f1.value
    other = figures(Y, P[::-1], speakers=SPEAKERS).macro_f1.value
    assert gain(Y, P, over=P[::-1], speakers=SPEAKERS).value == pytest.approx(one - other)


def test_a_share_is_drawn_over_speakers() -> None:
    """A speaker who always hits and one who never does: a draw has one of them twice, or both."""
    found = share(np.array([True, True, True, False]), speakers=np.array(list("aaab")))
    assert (found.value, found.low, found.high) == (0.75, 0.0, 1.0)


def test_missed_panic_is_counted_with_what_it_was_called_and_what_is_escalated() -> None:
    y = np.array([2, 2, 2, 2, 0])
    p = np.array([sure(2, 0.5), sure(0, 0.9), sure(1, 0.6), sure(1, 0.9), sure(1, 0.4)])
    found = missed(y, p, below=0.65, speakers=np.array(list("aaaab")))
    assert found is not None
    assert (found.share.value, found.as_calm.value) == (0.75, 0.25)
    assert found.escalated.value == pytest.approx(1 / 3)
    assert found.below == 0.65


def test_without_panic_none_is_missed() -> None:
    assert missed(np.array([0, 1]), P[:2], below=0.6, speakers=np.array(list("ab"))) is None
