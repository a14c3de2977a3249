"""Which decisions are too uncertain to stand on their own."""

from __future__ import annotations

from vser_stream.values import Probabilities

__all__ = ["is_ambiguous"]


def is_ambiguous(probabilities: Probabilities, *, escalate_below: float) -> bool:
    """Whether the calibrated confidence is under the threshold.

    The threshold comes from the model's risk-coverage curve for a wanted share of escalations
    (paper A, III.D).
    """
    return probabilities.confidence < escalate_below
