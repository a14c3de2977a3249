"""What each group of features is worth: the figures of the recipe without it.

A group is blanked in the tables, so that what is left goes through the very same training; the
width of the kernel follows the number of inputs that are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.core.scoring.loudness import LOUDNESS
from vser_stream.training.classifier.fit import importance_of
from vser_stream.training.classifier.material import Material, material_of
from vser_stream.training.data.corpus import Data, read_corpora
from vser_stream.training.data.histories import Table
from vser_stream.training.evaluation.clips.cross_validation import (
    Outcome,
    cross_validate,
    leave_one_corpus_out,
)
from vser_stream.training.evaluation.metrics import Interval, figures, gain
from vser_stream.training.progress import silent, tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run

__all__ = [
    "GROUPS",
    "Ablation",
    "Figure",
    "Variant",
    "ablate",
    "ablation_table",
    "evaluate_ablation",
    "without",
]

_BALANCE = r"(band_\d+|alpha_ratio|hammarberg|slope_(low|high)|centroid|flatness|flux)"

_PATTERNS = {
    "pitch level": r"pitch_(mean|p\d+)",
    "pitch contour": r"pitch_(range_\d+|sd|slope|motion|rising|falling|rising_share)",
    "jitter and shimmer": r"jitter|shimmer",
    "energy": r"level_p\d+|energy_.*",
    "rhythm": r"voic(ed_.*|ing)|active_.*|peak_rate|pause_.*",
    "MFCC means": r"mfcc\d+_mean",
    "MFCC variability": r"mfcc\d+_(sd|motion)",
    "spectral balance": rf"{_BALANCE}_(mean|sd|motion)",
    "voice quality": r"(hnr|h1_h2|h1_a3)_(mean|sd|motion)",
    "trends": r".*_trend|pitch_level_correlation",
    "unvoiced": r"unvoiced_.*",
}

GROUPS: Final = {
    group: tuple(name for name in FEATURES if re.fullmatch(pattern, name))
    for group, pattern in _PATTERNS.items()
}
"""The features of each group; every feature is in exactly one."""

QUICK: Final = replace(Recipe(), folds=3)
"""Fewer folds than for the figures; those of variants compare with each other only."""

_HISTORIES = ("cold", "running", "warm 3")
_LEFT_OUT = "corpus left out"
_FOLDS = "cross-validation"

_CLEAN, _NOT_LIVELY = "without spoiled clips", "without lively clips"
_NO_HOMES, _NO_LOUDNESS = "without homes", "without loudness"

_ALONE = 100.0
"""Weight of one kind of input beside 1 of the other at which that other is no longer heard."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Macro-F1 of a variant, and how much that is over the whole recipe on the same clips."""

    macro_f1: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class Variant:
    """The recipe without some of its inputs."""

    name: str
    inputs: int
    figures: dict[str, dict[str, Figure]]
    """By protocol (cross-validation, corpus left out), then history."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """The recipe as it is, first, and without each group."""

    clips: int
    speakers: int
    folds: int
    variants: tuple[Variant, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def evaluate_ablation(data: Data, run: Run) -> Ablation:
    """Train and try the recipe, best :data:`QUICK`, without each group of features.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
    """
    clips = read_corpora(data, exclude=run.recipe.exclude)
    return ablate(material_of(clips, run), run)


def ablate(material: Material, run: Run) -> Ablation:
    """As :func:`evaluate_ablation`, from features."""
    table, variants = material.clean, _variants(material, run.recipe)
    whole: dict[str, dict[str, Outcome]] = {}
    told = []
    for name, some, how in tracked(variants, "ablation", total=len(variants), progress=run.progress):
        one = replace(run, recipe=how, progress=silent)
        found = {_FOLDS: cross_validate(some, one)}
        if len(np.unique(table.corpora)) > 1:
            found[_LEFT_OUT] = leave_one_corpus_out(some, one)
        whole = whole or found
        told.append(Variant(name, _inputs(name), _compared(table, found, whole)))
    return Ablation(len(table), len(np.unique(table.speakers)), run.recipe.folds, tuple(told))


def ablation_table(ablation: Ablation) -> str:
    """The figures as lines of text: macro-F1 of the whole, and what each variant has over it."""
    lines = [
        f"{ablation.clips} clips, {ablation.speakers} speakers, {ablation.folds} folds",
        "macro-F1 of the whole, then what each variant has over it, with 95 % intervals over speakers;",
        "* if an interval does not hold 0",
    ]
    for protocol, histories in ablation.variants[0].figures.items():
        columns = "".join(f"  {history:<24}" for history in histories)
        lines += ["", f"{protocol:<26}{'inputs':>6}{columns}".rstrip()]
        lines += [_row(variant, protocol) for variant in ablation.variants]
    return "\n".join(lines)


def without(material: Material, recipe: Recipe, *, group: str) -> tuple[Material, Recipe]:
    """Blank a group; inputs that are always the same would still count in the unit of ``gamma``."""
    columns = [FEATURES.index(name) for name in GROUPS[group]]

    def blanked(table: Table) -> Table:
        features = table.features.copy()
        features[:, columns] = 0.0
        return replace(table, features=features)

    weights = importance_of(recipe) ** 2
    kept = weights[~_of(GROUPS[group])]
    return material.mapped(blanked), replace(recipe, gamma=recipe.gamma * float(weights.sum() / kept.sum()))


def _variants(material: Material, recipe: Recipe) -> list[tuple[str, Material, Recipe]]:
    """Name, material and recipe of each; the whole comes first."""
    blanked = [(f"without {group}", *without(material, recipe, group=group)) for group in GROUPS]
    return [
        ("all", material, recipe),
        *blanked,
        ("raw only", material, replace(recipe, raw_weight=_ALONE)),
        ("relative only", material, replace(recipe, raw_weight=1 / _ALONE)),
        *_without_rows(material, recipe),
    ]


def _without_rows(material: Material, recipe: Recipe) -> Iterator[tuple[str, Material, Recipe]]:
    """Without what is learned beside the clean clips, each alone."""
    if material.spoiled:
        yield _CLEAN, replace(material, spoiled=(), embeddings=material.embeddings[:1]), recipe
    if material.lively is not None:
        yield _NOT_LIVELY, replace(material, lively=None), recipe
    if material.rehearsal is not None:
        yield _NO_HOMES, replace(material, rehearsal=None), recipe
        yield _NO_LOUDNESS, material, replace(recipe, unknown_loudness=1.0)


def _of(names: Sequence[str]) -> NDArray[np.bool_]:
    """Which inputs are made of these features."""
    return np.array([name.removesuffix("_from_calm") in names for name in MODEL_INPUT])


def _inputs(variant: str) -> int:
    group = variant.removeprefix("without ")
    if group in GROUPS:
        return int(np.sum(~_of(GROUPS[group])))
    raw = sum(name in FEATURES for name in MODEL_INPUT)
    some = {
        "raw only": raw,
        "relative only": len(MODEL_INPUT) - raw,
        _NO_LOUDNESS: len(MODEL_INPUT) - len(LOUDNESS),
    }
    return some.get(variant, len(MODEL_INPUT))


def _compared(
    table: Table, found: dict[str, dict[str, Outcome]], whole: dict[str, dict[str, Outcome]]
) -> dict[str, dict[str, Figure]]:
    return {
        protocol: {
            history: _figure(table, outcomes[history], whole[protocol][history])
            for history in _HISTORIES
            if len(outcomes[history].clips)
        }
        for protocol, outcomes in found.items()
    }


def _figure(table: Table, one: Outcome, whole: Outcome) -> Figure:
    y, speakers = table.y[one.clips], table.speakers[one.clips]
    return Figure(
        macro_f1=figures(y, one.probabilities, speakers=speakers).macro_f1,
        gain=gain(y, one.probabilities, over=whole.probabilities, speakers=speakers),
    )


def _row(variant: Variant, protocol: str) -> str:
    cells = [_cell(figure) for figure in variant.figures[protocol].values()]
    return f"{variant.name:<26}{variant.inputs:>6}" + "".join(f"  {cell:<24}" for cell in cells).rstrip()


def _cell(figure: Figure) -> str:
    gain = figure.gain
    if gain.low == gain.high == 0.0:
        return str(figure.macro_f1)
    told = "*" if gain.low > 0.0 or gain.high < 0.0 else ""
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]{told}"
