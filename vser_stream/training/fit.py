"""The classifier: scaler, one-against-rest SVMs with a radial kernel, sigmoids.

The calibrator sits on a one-against-rest wrapper, because the three-class margins of SVC itself
are vote counts, whose sigmoids ruin the ranking. The kernel is computed once for all of its machines
and folds, in a tenth of the time that each of them would take for its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from vser_stream.core.baseline import MODEL_INPUT, Prior
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import DataError
from vser_stream.training.histories import Rows, Table, cold, listened, population
from vser_stream.training.recipe import Recipe
from vser_stream.training.rehearsal import Rehearsal
from vser_stream.training.tables import Material
from vser_stream.values import LABELS

__all__ = ["Fitted", "Split", "fit", "label_weights", "speaker_folds"]

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the clips to learn from and of those to be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier and the population it measures from."""

    scaler: StandardScaler
    machine: CalibratedClassifierCV
    """Of kernels with ``learned``."""

    learned: NDArray[np.float64]
    """Scaled rows, shape (n_learned, n_inputs)."""

    gamma: float
    """Of the radial kernel."""

    sharpness: float
    """As in the recipe."""

    prior: Prior

    def judge(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities of model inputs, shape (n, 3)."""
        kernel = rbf_kernel(self.scaler.transform(rows), self.learned, gamma=self.gamma)
        sharpened = np.asarray(self.machine.predict_proba(kernel), np.float64) ** self.sharpness
        return np.asarray(sharpened / sharpened.sum(axis=1, keepdims=True))


def speaker_folds(table: Table, folds: int, *, seed: int) -> list[Split]:
    """Split by speaker, with like shares of each corpus and label.

    Raises:
        DataError: There are fewer speakers than folds, or a label has too few.
    """
    for index, label in enumerate(LABELS):
        speakers = len(np.unique(table.speakers[table.y == index]))
        if speakers < folds:
            raise DataError(
                f"{speakers} speakers have {label} clips, {folds} are needed; record more speakers"
            )
    names = np.char.add(np.char.add(table.corpora, "|"), table.y.astype(str))
    _, kinds = np.unique(names, return_inverse=True)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(table)), kinds, table.speakers))


def fit(material: Material, recipe: Recipe, *, seed: int) -> Fitted:
    """Learn every clean clip, a share of the spoiled ones and some of what was heard in homes.

    Raises:
        DataError: A label has too few speakers.
    """
    rng = np.random.default_rng(seed)
    prior = population(material.clean)
    said = _joined(list(_clips(material, prior, recipe, rng)))
    weights = label_weights(said, recipe.balance)
    if material.rehearsal:
        voices, backgrounds = _heard_at_home(material, material.rehearsal, recipe, prior, rng)
        said = _joined([said, voices])
        weights = np.append(
            label_weights(said, recipe.balance), np.full(len(backgrounds), recipe.background_weight)
        )
        said = _joined([said, backgrounds])
    # All rows of a speaker are in one fold, or the sigmoids would see margins of known voices.
    folds = speaker_folds(material.clean, recipe.calibration_folds, seed=seed)
    unheard = [np.unique(material.clean.speakers[judged]) for _, judged in folds]
    return _machine(said, weights, prior, recipe, unheard)


def _clips(material: Material, prior: Prior, recipe: Recipe, rng: np.random.Generator) -> Iterator[Table]:
    """Tables whose features are model inputs: of every clean clip, and of a share of each copy."""
    clips = len(material.clean)
    for table, share in ((material.clean, 1.0), *((it, recipe.share) for it in material.spoiled)):
        drawn = rng.permutation(clips)[: round(share * clips)]
        yield _known(table, table.speakers, prior, recipe, rng).where(drawn)


def _heard_at_home(
    material: Material, homes: Rehearsal, recipe: Recipe, prior: Prior, rng: np.random.Generator
) -> list[Table]:
    """The same of voices, and of backgrounds, that were heard in homes."""
    # A television is heard in somebody's home, and measured from the calm of who lives there.
    hosts = rng.choice(np.unique(homes.rooms), len(homes.rooms))
    inputs = _known(homes.table, np.where(homes.own, homes.rooms, hosts), prior, recipe, rng)
    found = []
    for own, share in ((True, recipe.homes), (False, recipe.backgrounds)):
        rows = rng.permutation(np.flatnonzero(homes.own == own))
        found.append(inputs.where(rows[: round(share * len(material.clean))]))
    return found


def _joined(tables: Sequence[Table]) -> Table:
    columns = ("features", "y", "speakers", "corpora")
    return Table(*(np.concatenate([getattr(table, name) for table in tables]) for name in columns))


def _known(
    table: Table, voices: NDArray[np.str_], prior: Prior, recipe: Recipe, rng: np.random.Generator
) -> Table:
    """The same as inputs, cold or after some listening to one of ``voices``, shape (n_clips,)."""
    of_voice = replace(table, speakers=voices)
    heard = listened(of_voice, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
    knowing = rng.random((len(table), 1)) >= recipe.cold
    return replace(table, features=np.where(knowing, heard, cold(table, prior)))


def _machine(
    rows: Table, weights: NDArray[np.float64], prior: Prior, recipe: Recipe, folds: Sequence[NDArray[np.str_]]
) -> Fitted:
    """Fit model inputs; the sigmoids judge the speakers of each fold by margins of the others."""
    scaler = StandardScaler().fit(rows.features)
    importance = np.array([recipe.raw_weight if name in FEATURES else 1.0 for name in MODEL_INPUT])
    # Scaled wider, a feature counts less in the kernel.
    scaler.scale_ /= importance
    learned, gamma = scaler.transform(rows.features).astype(np.float64), recipe.gamma / np.sum(importance**2)
    splits = [
        tuple(np.flatnonzero(np.isin(rows.speakers, fold, invert=known)) for known in (True, False))
        for fold in folds
    ]
    with config_context(enable_metadata_routing=True):
        # Labels weigh the same, so a label against the two others is one to two.
        svc = SVC(kernel="precomputed", C=recipe.c, class_weight={0: 0.75, 1: 1.5}, cache_size=600)
        machine = CalibratedClassifierCV(
            OneVsRestClassifier(svc.set_fit_request(sample_weight=True)),
            method="sigmoid",
            cv=splits,
            ensemble=False,
        )
        machine.fit(rbf_kernel(learned, gamma=gamma), rows.y, sample_weight=weights)
    return Fitted(scaler, machine, learned, gamma=gamma, sharpness=recipe.sharpness, prior=prior)


def label_weights(table: Table, balance: float) -> NDArray[np.float64]:
    """Every label counts the same; its corpora as ``balance`` says. The mean is one."""
    weights = np.zeros(len(table))
    for label in np.unique(table.y):
        of_label = table.y == label
        for corpus in np.unique(table.corpora[of_label]):
            cell = of_label & (table.corpora == corpus)
            weights[cell] = cell.sum() ** -balance
        weights[of_label] /= weights[of_label].sum()
    return np.asarray(weights / weights.mean(), np.float64)
