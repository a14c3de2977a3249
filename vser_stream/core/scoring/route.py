"""Which decisions are too uncertain to stand on their own."""

from __future__ import annotations

from vser_stream.values import Probabilities

__all__ = ["is_ambiguous"]


_SPEECH = 0.5
"""Belief that somebody speaks, from which on it is worth asking how."""


def is_ambiguous(probabilities: Probabilities, *, escalate_below: float) -> bool:
    """Whether the calibrated confidence is under the threshold, and speech is what it is about.

    The threshold is ``[route] escalate_below`` of the configuration; where that says nothing it is
    ``[escalation]`` of the model's manifest, from its risk-coverage curve for a wanted share of escalations
    (Nguyen et al. 2026, section III.D). A reasoner has rules for speech, and none for screams and laughter.
    """
    return probabilities.confidence < escalate_below and sum(probabilities.spoken) >= _SPEECH
