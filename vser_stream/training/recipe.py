"""Everything that decides what a trained model is, beside its data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe of the shipped model; its defaults are what was measured to be best."""

    c: float = 3.0
    """Penalty of the support vector machine."""

    gamma: float = 0.5
    """Width of the radial kernel, in units of 1 / n_inputs."""

    longest: int = 8
    """Most calm clips an agent has learned from in a simulated history, beside the cold one."""

    slips: float = 0.1
    """Share of them that was not calm."""

    copies: int = 1
    """Spoiled copies of each clip, beside the clean one."""

    share: float = 0.5
    """Share of each copy that is learned."""

    balance: float = 0.5
    """How far corpora of one label are evened out: 0 not at all, 1 all count the same."""

    calibration_folds: int = 4
    """Folds over speakers for the sigmoids."""

    folds: int = 5
    """Folds over speakers for the figures and the thresholds."""

    shares: tuple[int, ...] = (10, 20, 30)
    """Shares of decisions to escalate for which a threshold is stored (percent)."""

    default_share: int = 20
    """The one in force unless the operator says otherwise (percent)."""

    exclude: tuple[str, ...] = ("tess", "turev-db", "crema-d")
    """Corpora not learned from: licences without derivatives, or next to no audio."""

    calm_only: tuple[str, ...] = ("vi-read",)
    """Corpora not learned from, whose labels are an assumption: for counting false alarms."""
