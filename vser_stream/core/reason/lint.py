"""What is wrong with a book of rules that is well written: contradictions, repetitions, dead rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from vser_stream.core.reason.rules import Condition, Rule, RuleBook, Seen
from vser_stream.core.scoring.descriptors import FARTHEST, KNOWN
from vser_stream.values import Cue

__all__ = ["cues_of", "failures", "problems"]

_GRID = tuple(step / 10 for step in range(round(-10 * FARTHEST), round(10 * FARTHEST) + 1))
"""Distances from calm that are tried, beside the limits themselves; every level has one."""


def problems(book: RuleBook) -> tuple[str, ...]:
    """Name every rule that repeats or contradicts another, never fires, or always does."""
    return (
        tuple(_twice(book)) + tuple(one for rule in book.rules for one in _dead(rule)) + tuple(_clashes(book))
    )


def failures(book: RuleBook) -> tuple[str, ...]:
    """Name every rule that does not do what its own examples say."""
    return tuple(
        f"rule {rule.id}: {'does not fire' if expected else 'fires'} on its example {key!r}"
        for rule in book.rules
        for key, example, expected in (("fires", rule.fires, True), ("silent", rule.silent, False))
        if (rule.fired(cues_of(example)) is not None) is not expected
    )


def cues_of(example: tuple[Seen, ...]) -> tuple[Cue, ...]:
    """The cues of an example, as if they had been measured beyond doubt."""
    return tuple(
        Cue(
            name=seen.cue,
            value=seen.value,
            unit=KNOWN[seen.cue].unit,
            baseline=0.0,
            z=seen.z,
        )
        for seen in example
    )


def _twice(book: RuleBook) -> Iterator[str]:
    for rule_id, count in Counter(rule.id for rule in book.rules).items():
        if count > 1:
            yield f"rule {rule_id}: there are {count} of that id"


def _clashes(book: RuleBook) -> Iterator[str]:
    """Rules of the very same conditions."""
    for one, other in combinations(book.rules, 2):
        if _meaning(one) == _meaning(other):
            kind = "repeats" if one.label is other.label else "contradicts"
            yield f"rule {other.id}: {kind} rule {one.id}, which has the same conditions"


def _meaning(rule: Rule) -> tuple[frozenset[str], int]:
    needed = rule.least or len(rule.when)
    return frozenset(condition.model_dump_json() for condition in rule.when), needed


def _dead(rule: Rule) -> Iterator[str]:
    """Conditions nothing can meet, or everything does; and conditions that exclude each other."""
    for condition in rule.when:
        met = [condition.holds(cue) for cue in _any_cue([condition])]
        if not any(met):
            yield f"rule {rule.id}: no {condition.cue} can ever meet its condition"
        elif all(met):
            yield f"rule {rule.id}: any {condition.cue} meets its condition"
    by_cue = {name: [one for one in rule.when if one.cue == name] for name in rule.cues}
    if sum(map(_most_together, by_cue.values())) < (rule.least or len(rule.when)):
        yield f"rule {rule.id}: its conditions exclude each other, so it can never fire"


def _most_together(conditions: Sequence[Condition]) -> int:
    """How many conditions on one cue can hold at once."""
    return max(sum(one.holds(cue) for one in conditions) for cue in _any_cue(conditions))


def _any_cue(conditions: Sequence[Condition]) -> Iterator[Cue]:
    """Distances a cue can have, each with values within and beyond every limit."""
    edges = [z for one in conditions for z in (one.z_at_least, one.z_at_most) if z is not None]
    limits = [v for one in conditions for v in (one.value_at_least, one.value_at_most) if v is not None]
    values = (*limits, min(limits, default=0.0) - 1.0, max(limits, default=0.0) + 1.0)
    for z in (*_GRID, *(edge for edge in edges if abs(edge) <= FARTHEST)):
        for value in values if limits else (0.0,):
            yield Cue(name=conditions[0].cue, value=value, unit="", baseline=0.0, z=z)
