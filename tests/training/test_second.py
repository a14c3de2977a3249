from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.tables import invented
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it comes without types

from vser_stream.adapters.svm import SECOND
from vser_stream.errors import ModelError
from vser_stream.training.export import PARITY, check_parity
from vser_stream.training.histories import cold, population
from vser_stream.training.recipe import Recipe
from vser_stream.training.second import Second, add_second, fit_second, second_graph
from vser_stream.training.tables import Material

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


def test_the_graph_answers_as_it_does(second: Second) -> None:
    rows = cold(invented(speakers=4, apart=1.0, seed=2), population(TABLE))
    assert check_parity(second_graph(second), rows, expected=second.judge(rows)) <= PARITY


def test_the_same_seed_gives_the_same_opinion(second: Second, tmp_path: Path) -> None:
    again = fit_second(Material(TABLE), Recipe(), seed=0)
    first, other = tmp_path / "first", tmp_path / "other"
    first.write_bytes(second_graph(second))
    other.write_bytes(second_graph(again))
    assert first.read_bytes() == other.read_bytes()


def test_it_goes_into_a_model_folder_with_its_sum(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text('name = "mine"\n\n[sha256]\n"svm.onnx" = "abc"\n')
    add_second(tmp_path, b"graph")
    assert (tmp_path / SECOND).read_bytes() == b"graph"
    manifest = tomllib.loads((tmp_path / "manifest.toml").read_text())
    sums = {"svm.onnx": "abc", SECOND: hashlib.sha256(b"graph").hexdigest()}
    assert manifest == {"name": "mine", "sha256": sums}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.toml", SECOND]


def test_without_a_model_there_is_nothing_to_add_it_to(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        add_second(tmp_path, b"graph")
    (tmp_path / "manifest.toml").write_text("[]")
    with pytest.raises(ModelError, match="is not the manifest of a model"):
        add_second(tmp_path, b"graph")
