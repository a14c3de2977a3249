"""One utterance through everything a decision needs, before anybody is told to rely on it."""

from __future__ import annotations

import math

import numpy as np

from vser_stream.core.decide import Decider
from vser_stream.core.scoring.feature_identity import golden_segment
from vser_stream.errors import ModelError
from vser_stream.ports import SpeechDetector
from vser_stream.values import FRAME, LABELS, Decision

__all__ = ["rehearse"]


def rehearse(decider: Decider, detector: SpeechDetector) -> Decision:
    """Judge the made voice of the feature digest; return the decision.

    Raises:
        ModelError: What came out is no decision.
    """
    segment = golden_segment()
    decision = decider.decide(segment, decider.measure(segment))
    total = sum(decision.probabilities.of(label) for label in LABELS)
    heard_silence = detector.is_speech(np.zeros(FRAME, np.int16))
    # Not "differs": a NaN must not pass.
    if heard_silence or not math.isclose(total, 1.0, abs_tol=1e-3) or not decision.evidence:
        raise ModelError(
            "self-test failed: no plausible decision on a synthetic utterance; install this release again"
        )
    return decision
