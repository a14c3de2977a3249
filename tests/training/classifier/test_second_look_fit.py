from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vser_stream.errors import DataError
from vser_stream.training.classifier.fit import Learned
from vser_stream.training.classifier.second_look_fit import fit_head
from vser_stream.training.classifier.second_look_head import Head
from vser_stream.values import ANSWERS

INPUTS, HEARD = 6, 8


def rows(count: int = 1500, *, seed: int = 0) -> Learned:
    """Two answers are told apart by what is measured, the others by what is heard."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(ANSWERS), count)
    inputs = rng.normal(0, 1, (count, INPUTS)).astype(np.float32)
    heard = rng.normal(0, 1, (count, HEARD)).astype(np.float32)
    inputs[:, 0] += np.where(y == 0, 5, np.where(y == 1, -5, 0))
    heard[np.arange(count), y] += np.where(y > 1, 5, 0)
    return Learned(inputs, heard, y, np.ones(count), np.zeros(count, np.int64))


@pytest.fixture(scope="module")
def head() -> Head:
    return fit_head(rows(), seed=0, networks=2)


def test_rows_it_has_not_learned_from_are_told_apart_by_both(head: Head) -> None:
    unheard = rows(300, seed=1)
    believed = head.judge(unheard.inputs, unheard.embeddings)
    assert np.mean(believed.argmax(axis=1) == unheard.y) > 0.95
    assert believed.sum(axis=1) == pytest.approx(np.ones(300))
    deaf = head.judge(unheard.inputs, np.zeros_like(unheard.embeddings)).argmax(axis=1)
    blind = head.judge(np.zeros_like(unheard.inputs), unheard.embeddings).argmax(axis=1)
    measured = unheard.y < 2
    assert np.mean(deaf[measured] == unheard.y[measured]) > np.mean(deaf[~measured] == unheard.y[~measured])
    assert np.mean(blind[~measured] == unheard.y[~measured]) > np.mean(blind[measured] == unheard.y[measured])


def test_what_lies_farther_than_anything_learned_counts_no_more(head: Head) -> None:
    row = rows(1)
    far, farther = (head.judge(row.inputs * scale, row.embeddings) for scale in (1e4, 1e8))
    assert far == pytest.approx(farther)


def test_a_row_that_weighs_nothing_is_not_learned() -> None:
    some = rows()
    weights = np.where(some.y == 2, 1.0, 1e-6)
    believed = fit_head(replace(some, weights=weights), seed=0, networks=1).judge(
        some.inputs, some.embeddings
    )
    assert np.mean(believed.argmax(axis=1) == 2) > 0.9


def test_the_seed_decides_everything() -> None:
    some = rows(300)
    first, again, other = (
        fit_head(some, seed=seed, networks=1).judge(some.inputs, some.embeddings) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_answer_nobody_gave_cannot_be_learned() -> None:
    some = rows(60)
    with pytest.raises(DataError, match="no clip of other, scream to learn from; add some"):
        fit_head(some.where(some.y < 3), seed=0)
