from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vser_stream.training.classifier.mixup import Size, fit_network

SHORT, LONG = Size(width=16, epochs=6, batch=64), Size(width=16, epochs=60, batch=64)


def parted(count: int, *, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of two answers that lie far apart, and the answers."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    rows = rng.normal(0, 1, (count, 4)).astype(np.float32)
    rows[:, 0] += np.where(y == 0, -4, 4)
    return rows, y


def fitted(seed: int = 0, *, weights: NDArray[np.float32] | None = None, size: Size = SHORT) -> nn.Sequential:
    rows, y = parted(800)
    counts = np.ones(800, np.float32) if weights is None else weights
    return fit_network(rows, y, counts, answers=2, size=size, seed=seed)


def believed(network: nn.Sequential, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of the second answer, shape (n,)."""
    with torch.no_grad():
        return np.asarray(torch.softmax(network(torch.from_numpy(rows)), dim=1)[:, 1])


def test_rows_it_has_not_learned_from_are_told_apart() -> None:
    rows, y = parted(200, seed=1)
    assert np.mean((believed(fitted(), rows) > 0.5) == y) > 0.97


def test_the_answer_changes_gradually_between_two_rows() -> None:
    between = np.zeros((9, 4), np.float32)
    between[:, 0] = np.linspace(-4, 4, 9)
    belief = believed(fitted(size=LONG), between)
    assert np.all(np.diff(belief) > 0)
    assert belief[2] > 0.08, "unmixed rows teach it 0.02 there: as good as certain half-way to the middle"


def test_the_seed_decides_every_bit() -> None:
    same, again, other = (fitted(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not all(torch.equal(same[name], other[name]) for name in same)


def test_a_row_that_weighs_nothing_is_not_learned() -> None:
    rows, y = parted(800)
    network = fitted(weights=np.where(y == 1, 1.0, 1e-6).astype(np.float32))
    assert np.mean(believed(network, rows) > 0.5) > 0.9


def test_few_rows_are_learned_in_one_step_at_least() -> None:
    rows, y = parted(3)
    fit_network(rows, y, np.ones(3, np.float32), answers=2, size=Size(width=4, epochs=1, batch=64), seed=0)
