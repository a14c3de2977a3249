from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support.tables import invented
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it comes without types

from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.second_opinion import Second, fit_second
from vser_stream.training.data.histories import cold, population
from vser_stream.training.recipe import Recipe

TABLE = invented(speakers=4)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Few rows: on a busy box threads wait for each other a hundred times longer than trees take to grow."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def second() -> Second:
    return fit_second(Material(TABLE), Recipe(), seed=0)


def test_it_knows_labels_that_lie_far_apart(second: Second) -> None:
    fresh = invented(speakers=4, seed=1)
    told = second.judge(cold(fresh, population(TABLE)))
    assert np.mean(told.argmax(axis=1) == fresh.y) > 0.9
    assert np.allclose(told.sum(axis=1), 1.0)


def test_the_same_seed_gives_the_same_opinion(second: Second) -> None:
    rows = cold(invented(speakers=4, apart=1.0, seed=2), population(TABLE))
    again = fit_second(Material(TABLE), Recipe(), seed=0)
    assert np.array_equal(again.judge(rows), second.judge(rows))
