"""How much distress was heard lately, and which alarm level it calls for.

Distress is a leaky CUSUM (Page, 1954, "Continuous inspection schemes"): an utterance adds to it the
more surely it is not calm, the longer it is, and the more of it is the level in question; calm speech
takes away from it, time lets it fade, and it never falls below nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from vser_stream.config.schema import AlarmConfig, LevelConfig
from vser_stream.values import LABELS, RATE, Decision, Label, Pcm

__all__ = [
    "URGENT_FIRST",
    "Call",
    "Vote",
    "called_for",
    "peaks",
    "rank",
    "rules_of",
    "silent",
    "sustains",
    "with_vote",
]

URGENT_FIRST = (Label.PANIC, Label.ANGRY)
"""Levels that can be raised."""

_KEPT = 64
"""Utterances remembered: half a minute of short cries, in which most of what is older has faded."""

_MOST = 2.0
"""Times what is enough: however long it was heard, a minute without it is as good as none."""

_SUREST = 6.0
"""Log-odds beyond which a calibrated probability is not believed (0.9975)."""

_WORDLESS = 1.0
"""Length that distress without words counts for at least (s): a scream is no slip of a longer voice, but
whole after 0.9 to 1.8 s (80 % of those in Deeply's nonverbal vocalizations)."""

_SURELY_PANIC = 0.95
"""Probability of panic from which no room may ask for more than the model does."""

_NOTHING: Pcm = np.zeros(0, np.int16)

_AS_IT_IS: Mapping[Label, float] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True)
class Call:
    """A level that is called for."""

    level: Label
    decision: Decision
    """The one with which it was enough, without its audio."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Distress:
    """What was heard since there last was none."""

    sum: float = 0.0
    """Log-odds times the square root of seconds."""

    at: float = 0.0
    """Wall time (s)."""

    since: float = 0.0
    """Wall time of the first word (s)."""

    utterances: int = 0


def silent(decision: Decision) -> Decision:
    """A decision without its audio: what is remembered for long holds none."""
    return replace(decision, segment=replace(decision.segment, pcm=_NOTHING))


def with_vote(votes: tuple[Vote, ...], vote: Vote) -> tuple[Vote, ...]:
    """The latest vote of each utterance, oldest first: its windows are one misjudgement, not several."""
    others = tuple(earlier for earlier in votes if earlier.utterance != vote.utterance)
    return (*others, replace(vote, decision=silent(vote.decision)))[-_KEPT:]


def called_for(
    votes: tuple[Vote, ...],
    latest: Decision,
    now: float,
    *,
    config: AlarmConfig,
    factors: Mapping[Label, float] = _AS_IT_IS,
) -> Iterator[Call]:
    """Every level that is called for, highest first.

    Args:
        votes: With that of ``latest``, and of utterances after it if it is a second verdict.
        latest: The decision that may raise an alarm.
        now: Wall time at which its utterance was first judged (s).
        config: When levels begin.
        factors: Times the distress that stands there, what is asked for here.
    """
    for level in URGENT_FIRST:
        rules, factor = rules_of(level, config), factors.get(level, 1.0)
        belief = _belief(latest, level)
        if latest.label is level and belief >= rules.fast:
            yield Call(level, silent(latest), f"one utterance over the probability threshold: p {belief:.2f}")
        elif enough := list(_enough(votes, level, now, rules, factor)):
            # The most urgent of them, the latest where they are alike.
            vote, heard = max(reversed(enough), key=lambda one: rank(one[0].decision.label))
            yield Call(level, vote.decision, _told(heard, _asked(vote, rules, factor)))


def peaks(votes: tuple[Vote, ...], now: float, *, config: AlarmConfig) -> dict[Label, float]:
    """The most distress from ``now`` on, for each level that would be raised if so much were enough."""
    return {
        level: max(heard.sum for _, heard in voted)
        for level in URGENT_FIRST
        if (voted := list(_voted(votes, level, now, rules_of(level, config))))
    }


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


def _enough(
    votes: tuple[Vote, ...], level: Label, now: float, rules: LevelConfig, factor: float
) -> Iterator[tuple[Vote, _Distress]]:
    """Votes for the level, from ``now`` on, after which there is distress enough."""
    for vote, heard in _voted(votes, level, now, rules):
        if heard.sum >= _asked(vote, rules, factor):
            yield vote, heard


def _asked(vote: Vote, rules: LevelConfig, factor: float) -> float:
    """Distress that is enough when that is said."""
    sure = vote.decision.probabilities.panic >= _SURELY_PANIC
    return rules.distress * (min(1.0, factor) if sure else factor)


def _voted(
    votes: tuple[Vote, ...], level: Label, now: float, rules: LevelConfig
) -> Iterator[tuple[Vote, _Distress]]:
    """Votes for the level, from ``now`` on, and how much distress there was after each.

    What was heard before makes no alarm of a calm voice, nor panic of anger.
    """
    voted = [vote.at >= now and _speaks_for(vote.decision, level, at_least=rules.at_least) for vote in votes]
    if any(voted):
        yield from itertools.compress(zip(votes, _course(votes, level, rules), strict=True), voted)


def _course(votes: tuple[Vote, ...], level: Label, rules: LevelConfig) -> Iterator[_Distress]:
    """How much there was after each vote."""
    heard = _Distress()
    for vote in votes:
        heard = _after(heard, vote, level, rules)
        yield heard


def _after(heard: _Distress, vote: Vote, level: Label, rules: LevelConfig) -> _Distress:
    kept = 0.5 ** (max(0.0, vote.at - heard.at) / rules.half_life)
    segment = vote.decision.segment
    seconds = (segment.end - segment.onset) / RATE
    # Neighbouring half seconds of one voice err together: twice the speech is not twice the evidence.
    weight = math.sqrt(max(seconds, _WORDLESS * _wordless(vote.decision)))
    surely = _surely(vote.decision, level, rules)
    # However long a calm voice answers, it is not the one that cried.
    total = heard.sum * kept + (weight if surely > 0.0 else min(1.0, weight)) * surely
    if total <= 0.0:
        return _Distress(at=vote.at)
    return _Distress(
        sum=min(total, _MOST * rules.distress),
        at=vote.at,
        since=heard.since if heard.utterances else vote.at - seconds,
        utterances=heard.utterances + 1,
    )


def _surely(decision: Decision, level: Label, rules: LevelConfig) -> float:
    """Log-odds of not being calm over those asked for; what speaks for a lower level counts less."""
    over = max(0.0, _log_odds(_not_calm(decision))) - _log_odds(rules.at_least)
    if over <= 0.0:
        return over
    # Panic is often torn between panic and anger: half of each is still 0.7 of the weight.
    return over * math.sqrt(_belief(decision, level) / _not_calm(decision))


def _told(heard: _Distress, asked: float) -> str:
    utterances = "1 utterance" if heard.utterances == 1 else f"{heard.utterances} utterances"
    span = heard.at - heard.since
    return f"distress {heard.sum:.1f} (alarm from {round(asked, 1):g}), {utterances} in {span:.0f} s"


def _speaks_for(decision: Decision, level: Label, *, at_least: float) -> bool:
    return rank(decision.label) >= rank(level) and _not_calm(decision) >= at_least


def _not_calm(decision: Decision) -> float:
    return 1.0 - decision.probabilities.calm


def _wordless(decision: Decision) -> float:
    """Share of distress without words in what is not calm."""
    return decision.probabilities.wordless / _not_calm(decision) if decision.probabilities.wordless else 0.0


def _belief(decision: Decision, level: Label) -> float:
    """Probability of this level or a higher one."""
    return sum(decision.probabilities.of(label) for label in LABELS if rank(label) >= rank(level))


def _log_odds(share: float) -> float:
    if not 0.0 < share < 1.0:
        return math.copysign(_SUREST, share - 0.5)
    return min(_SUREST, max(-_SUREST, math.log(share / (1.0 - share))))
