"""From a segment to a decision: measure, compare with calm, score, route, explain."""

from __future__ import annotations

from dataclasses import dataclass

from vser_stream.core.baseline import Baseline, Prior, model_input
from vser_stream.core.describe import describe, rationale_from
from vser_stream.core.features.extract import Extractor
from vser_stream.core.route import is_ambiguous
from vser_stream.ports import PitchTracker, Scorer
from vser_stream.values import DecidedBy, Decision, Segment, Vector

__all__ = ["Decider", "Judge"]


@dataclass(frozen=True, slots=True)
class Judge:
    """What all sources share: a model, its threshold, and whether someone stands behind it."""

    scorer: Scorer
    prior: Prior
    escalate_below: float
    reasoner_expected: bool = False
    """The ambiguous were meant for a reasoner; where the SVM decides them it is a fallback."""


class Decider:
    """Judges the segments of one source, and remembers what its calm voice is like."""

    def __init__(
        self, judge: Judge, pitch_tracker: PitchTracker, *, baseline: Baseline | None = None
    ) -> None:
        self._judge = judge
        self._extractor = Extractor(pitch_tracker)
        self.baseline = baseline or Baseline.from_prior(judge.prior)
        """Of this source; calm utterances move it."""

    def measure(self, segment: Segment) -> Vector:
        """Return the features of a segment, shape (n_features,)."""
        return self._extractor.extract(segment)

    def decide(self, segment: Segment, vector: Vector) -> Decision:
        """Judge a measured segment against the baseline as it is now."""
        probabilities = self._judge.scorer.score(model_input(vector, self.baseline))
        escalated = is_ambiguous(probabilities, escalate_below=self._judge.escalate_below)
        fallback = escalated and self._judge.reasoner_expected
        cues = describe(vector, self.baseline)
        return Decision(
            segment=segment,
            label=probabilities.top,
            probabilities=probabilities,
            escalated=escalated,
            decided_by=DecidedBy.FALLBACK if fallback else DecidedBy.SVM,
            rationale=rationale_from(cues, probabilities, baseline_known=self.baseline.count > 0),
            evidence=cues,
        )

    def learn(self, vector: Vector) -> None:
        """Move the baseline towards one calm utterance."""
        self.baseline = self.baseline.updated(vector)
