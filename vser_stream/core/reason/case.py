"""The case of one utterance, and which of its cues speak for a label."""

from __future__ import annotations

from collections.abc import Sequence

from vser_stream.core.audio.quality import quality_of
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.scoring.descriptors import KNOWN
from vser_stream.values import NEAR, Case, Cue, Decision, Label, Probabilities

__all__ = ["case_of", "ids_for", "speaks_against", "speaks_for"]


def case_of(
    decision: Decision,
    book: RuleBook,
    *,
    second: Probabilities | None = None,
    recent: Sequence[Label] = (),
) -> Case:
    """Gather what a reasoner is told of a decision of the SVM.

    Args:
        decision: Of the SVM.
        book: The rules in force.
        second: A second opinion on the same utterance.
        recent: Labels of the latest utterances of this source, oldest first.
    """
    return Case(
        probabilities=decision.probabilities,
        second=second,
        cues=decision.evidence,
        fired=book.fired(decision.evidence),
        recent=tuple(recent),
        snr_db=round(quality_of(decision.segment).snr_db, 1),
    )


def ids_for(case: Case, label: Label) -> tuple[str, ...]:
    """Ids of the fired rules that speak for a label, strongest first."""
    return tuple(rule.id for rule in case.fired if rule.label is label)


def speaks_for(cue: Cue, label: Label, case: Case) -> bool:
    """Whether a cue is a reason for ``label``: by a fired rule, else by where arousal moves it."""
    labels = {rule.label for rule in case.fired if cue.name in rule.cues}
    return label in labels if labels else _by_arousal(cue, label)


def speaks_against(cue: Cue, label: Label, case: Case) -> bool:
    """Whether a cue is a reason for another label than ``label``, and none for it."""
    return not speaks_for(cue, label, case) and any(
        speaks_for(cue, other, case) for other in Label if other is not label
    )


def _by_arousal(cue: Cue, label: Label) -> bool:
    if label is Label.CALM:
        return cue.word == NEAR or cue.z * KNOWN[cue.name].aroused < 0.0
    return cue.word != NEAR and cue.z * KNOWN[cue.name].aroused > 0.0
