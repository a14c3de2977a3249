"""What every training and study is run with."""

from __future__ import annotations

from dataclasses import dataclass, field

from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.training.progress import Progress, silent
from vser_stream.training.recipe import Recipe

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """How models are made, what may be used for it, and who is told how far it is."""

    recipe: Recipe = field(default_factory=Recipe)
    """How each model is made."""

    seed: int = 0
    """Of the folds and of every draw: the same data, recipe and seed give the same."""

    cache: FeatureCache = field(default_factory=FeatureCache)
    """Of features."""

    processes: int = 2
    """Worked on at once."""

    progress: Progress = silent
    """Told of each step."""
