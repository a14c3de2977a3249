"""Which alarm level the latest utterances call for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from vser_stream.config import AlarmConfig, LevelConfig
from vser_stream.values import LABELS, RATE, Decision, Label, Pcm

__all__ = ["URGENT_FIRST", "Vote", "called_for", "rank", "rules_of", "silent", "sustains", "with_vote"]

URGENT_FIRST = (Label.PANIC, Label.ANGRY)
"""Levels that can be raised."""

_LONG = 3.0
"""Speech after which an utterance has one vote more (s); measured on composed homes."""


_NOTHING: Pcm = np.zeros(0, np.int16)


@dataclass(frozen=True, slots=True)
class Vote:
    """What an utterance sounds like, as known at a time."""

    at: float
    """Wall time (s)."""

    decision: Decision
    """Without its audio."""

    @property
    def utterance(self) -> float:
        """The same for all decisions on one utterance; positions begin anew with each opening of a source."""
        return self.decision.segment.heard_at


def silent(decision: Decision) -> Decision:
    """A decision without its audio: what is remembered for long holds none."""
    return replace(decision, segment=replace(decision.segment, pcm=_NOTHING))


def with_vote(votes: tuple[Vote, ...], vote: Vote, *, config: AlarmConfig) -> tuple[Vote, ...]:
    """The latest vote of each utterance, oldest first: its windows are one misjudgement, not several."""
    others = tuple(earlier for earlier in votes if earlier.utterance != vote.utterance)
    vote = replace(vote, decision=silent(vote.decision))
    return (*others, vote)[-max(config.panic.of, config.angry.of) :]


def called_for(
    votes: tuple[Vote, ...], latest: Decision, now: float, *, config: AlarmConfig
) -> Iterator[tuple[Label, str]]:
    """Every level that is voted for, highest first, and why."""
    for level in URGENT_FIRST:
        rules = rules_of(level, config)
        belief = _belief(latest, level)
        if not _speaks_for(latest, level, at_least=rules.at_least):
            continue  # what was heard before does not make a calm voice an alarm
        if latest.label is level and belief >= rules.fast:
            yield level, f"one decision at {belief:.2f}"
        elif (count := sum(_counted(votes, level, now, config))) >= rules.votes:
            yield level, f"{count} votes of the last {rules.of} utterances within {rules.within:g} s"


def sustains(decision: Decision, level: Label, *, config: AlarmConfig) -> bool:
    """Whether a decision keeps a level up; less is asked than for raising it."""
    rules = rules_of(level, config)
    return _speaks_for(decision, level, at_least=rules.at_least - rules.hysteresis)


def rules_of(level: Label, config: AlarmConfig) -> LevelConfig:
    """When a level begins and ends."""
    return config.panic if level is Label.PANIC else config.angry


def rank(label: Label) -> int:
    """Urgency, 0 for none."""
    return LABELS.index(label)


def _counted(votes: tuple[Vote, ...], level: Label, now: float, config: AlarmConfig) -> Iterator[int]:
    """Votes of each utterance that has any: over a television that never pauses one holds several cries."""
    rules = rules_of(level, config)
    for vote in votes[-rules.of :]:
        recent = now - vote.at <= rules.within
        if recent and _speaks_for(vote.decision, level, at_least=rules.at_least):
            segment = vote.decision.segment
            yield 1 + int((segment.end - segment.onset) / RATE / _LONG)


def _speaks_for(decision: Decision, level: Label, *, at_least: float) -> bool:
    """A decision votes for its own level and the ones below: a panic is no evidence against anger."""
    return rank(decision.label) >= rank(level) and _belief(decision, level) >= at_least


def _belief(decision: Decision, level: Label) -> float:
    """Probability of this level or a higher one."""
    return sum(decision.probabilities.of(label) for label in LABELS if rank(label) >= rank(level))
