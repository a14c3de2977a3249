"""The fields of a decision, as every document about one has them.

An alert, an utterance, an audit record and what a source must know after a restart each take those they
have a place for. What a field is called and how exact it is, is said here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vser_stream.values import (
    Cue,
    DecidedBy,
    Decision,
    Label,
    Probabilities,
    RationaleBy,
    Segment,
)

__all__ = ["cue_fields", "decision_from", "fields_of", "shares_from", "shares_of"]

_CUE = ("name", "value", "unit", "baseline", "z", "confidence")


def fields_of(decision: Decision, *, digits: int | None = None) -> dict[str, Any]:
    """All that may be told of a decision, by the name it is told under.

    Args:
        decision: Which.
        digits: Of a probability; None for all it has.

    Returns:
        Its fields; times are Unix times (s).
    """
    return {
        "label": decision.label,
        **shares_of(decision.probabilities, digits=digits),
        "decided_by": decision.decided_by,
        "escalated": decision.escalated,
        "rationale": decision.rationale,
        "rationale_by": decision.rationale_by,
        "evidence": decision.evidence,
        "rules": decision.rules,
        "heard_at": decision.segment.heard_at,
        "ended_at": decision.segment.ended_at,
    }


def decision_from(told: Mapping[str, Any], segment: Segment) -> Decision:
    """A decision from its fields, as JSON has them, with the segment it is about.

    Raises:
        ValueError, KeyError, TypeError: They are not what was told.
    """
    return Decision(
        segment=segment,
        label=Label(told["label"]),
        probabilities=shares_from(told),
        decided_by=DecidedBy(told["decided_by"]),
        escalated=told["escalated"],
        rationale=told["rationale"],
        rationale_by=RationaleBy(told["rationale_by"]),
        evidence=tuple(Cue(**{name: cue[name] for name in _CUE}) for cue in told["evidence"]),
        rules=tuple(told["rules"]),
    )


def cue_fields(cue: Cue) -> dict[str, Any]:
    """The fields of a cue."""
    return {name: getattr(cue, name) for name in _CUE}


def shares_of(belief: Probabilities, *, digits: int | None = None) -> dict[str, Any]:
    """A belief: the probability of each label, and what calm and panic are made of, where a model tells."""
    shares = {"probabilities": belief.by_label, "parts": belief.parts}
    if digits is None:
        return shares
    return {
        name: each and {part: round(share, digits) for part, share in each.items()}
        for name, each in shares.items()
    }


def shares_from(told: Mapping[str, Any]) -> Probabilities:
    """A belief from its fields.

    Raises:
        ValueError, KeyError, TypeError: They are not what was told.
    """
    shares = {**told["probabilities"], **(told.get("parts") or {})}
    belief = Probabilities(**{name: float(share) for name, share in shares.items()})
    if belief.other > belief.calm or belief.wordless > belief.panic:
        raise ValueError("a part is more than its whole")
    return belief
