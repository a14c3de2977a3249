"""From a segment to a decision: measure, compare with calm, score, route, explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vser_stream.core.features.extract import Extractor
from vser_stream.core.reason.writer import Writer
from vser_stream.core.scoring.baseline import Baseline, Prior, model_inputs
from vser_stream.core.scoring.descriptors import describe
from vser_stream.core.scoring.loudness import Loudness
from vser_stream.core.scoring.route import is_ambiguous
from vser_stream.core.scoring.second_look import Look, fused
from vser_stream.core.scoring.second_look_schedule import Hearing
from vser_stream.ports import PitchTracker, Scorer
from vser_stream.values import DecidedBy, Decision, Probabilities, Segment, SegmentKind, Vector

__all__ = ["Decider", "Judge"]


@dataclass(frozen=True, slots=True)
class Judge:
    """What all sources share: a model, its threshold, and whether someone stands behind it."""

    scorer: Scorer
    prior: Prior
    escalate_below: float
    """Confidence under which a decision is escalated (probability)."""

    look: Look | None = None
    """Hears what is not surely calm itself; what decides is what both believe."""

    reasoner_expected: bool = False
    """The ambiguous were meant for a reasoner; where the SVM decides them it is a fallback."""

    writer: Callable[[], Writer] = Writer
    """Asked for at each decision: the rules may be exchanged while the agent runs."""


class Decider:
    """Judges the segments of one source, and remembers what its calm voice is like."""

    def __init__(
        self, judge: Judge, pitch_tracker: PitchTracker, *, baseline: Baseline | None = None
    ) -> None:
        self._judge = judge
        self._extractor = Extractor(pitch_tracker)
        self._hearing = None if judge.look is None else Hearing(judge.look)
        self._loudness = Loudness()
        self.baseline: Baseline
        """Of this source; calm utterances move it."""

        self.start_from(baseline)

    def measure(self, segment: Segment) -> Vector:
        """Return the features of a segment, shape (n_features,)."""
        return self._extractor.extract(segment)

    def decide(self, segment: Segment, vector: Vector) -> Decision:
        """Judge a measured segment against the baseline as it is now."""
        rows = np.stack(model_inputs(vector, self.baseline, self._loudness.columns(vector)))
        if segment.kind is SegmentKind.UTTERANCE:
            self._loudness = self._loudness.after(vector)
        scored = self._judge.scorer.score(rows)
        look = None if self._hearing is None else self._hearing.again(segment, rows, scored)
        probabilities = self._both(scored, look)
        escalated = is_ambiguous(probabilities, escalate_below=self._judge.escalate_below)
        fallback = escalated and self._judge.reasoner_expected
        decision = Decision(
            segment=segment,
            label=probabilities.top,
            probabilities=probabilities,
            escalated=escalated,
            decided_by=DecidedBy.FALLBACK if fallback else DecidedBy.SVM,
            rationale="",
            evidence=describe(vector, self.baseline, floor_db=segment.floor_db),
            rows=rows,
            scored=scored,
            look=look,
            second=look if escalated else None,
        )
        return self._judge.writer().reasoned(decision)

    def _both(self, scored: Probabilities, look: Probabilities | None) -> Probabilities:
        if self._judge.look is None or look is None:
            return scored
        return fused(scored, look, self._judge.look.fusion)

    def start_from(self, baseline: Baseline | None) -> None:
        """Judge and learn from there on; None for the population's."""
        self.baseline = baseline or Baseline.from_prior(self._judge.prior)

    def learn(self, vector: Vector) -> None:
        """Move the baseline towards one calm utterance."""
        self.baseline = self.baseline.updated(vector)

    def enrol(self, vector: Vector) -> None:
        """Learn from an utterance that is known to be calm."""
        self.baseline = self.baseline.updated(vector).enrolled()
