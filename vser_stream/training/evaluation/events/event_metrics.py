"""The measure a nurse would use: events told, time until told, false alarms an hour."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from vser_stream.config.schema import AlarmConfig, LevelConfig
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.evaluation.events.event_scoring import Told, Verdict, judge
from vser_stream.training.evaluation.events.homes import ALONE, MODES, Heard
from vser_stream.training.evaluation.metrics import Interval
from vser_stream.training.progress import Progress, silent, tracked
from vser_stream.training.simulation.scenes import Hours
from vser_stream.values import Label

__all__ = [
    "ALARMS", "EVENTS", "FACTORS", "Detection", "EventEvaluation", "FalseAlarms", "OfCorpus", "Point",
    "figures_of", "scaled",
]  # fmt: skip

EVENTS = (Answer.PANIC, Answer.SCREAM, Answer.ANGRY)

ALARMS = (Label.PANIC, Label.ANGRY)

_LEVELS: Final = {"panic": frozenset({Label.PANIC}), "any": frozenset({Label.PANIC, Label.ANGRY})}

FACTORS: Final = tuple(2.0**power for power in np.arange(-3.0, 2.25, 0.25).tolist())
"""On the distress asked for and the log-odds of ``fast``, sensitive first; one leaves both as configured."""

_DRAWS = 1000
"""Of homes, for the intervals."""

_Level = TypeVar("_Level", bound=LevelConfig)


@dataclass(frozen=True, slots=True)
class Detection:
    """How well events of one kind are told; intervals are 95 % bootstrap intervals over homes.

    A figure is None where there was nothing to take it of.
    """

    events: int
    recall: Interval | None
    """Events told by an alarm of their level or a higher one; a scream by one of panic."""

    any_recall: Interval | None
    """Events told by an alarm of any level."""

    median_s: Interval | None
    """From the first word to the alarm, of the events that were told (s)."""

    slow_s: Interval | None
    """The same, the ninetieth percentile (s)."""

    masked: int
    """Events not told because the alarm was on already, falsely."""

    as_panic: int
    """Events during which a panic alarm was raised: right for panic, a confusion for anger."""


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Alarms outside all events."""

    hours: float
    """Without an event (h)."""

    per_hour: Interval | None
    causes: dict[str, int]
    """What they were raised by, most first."""


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the thresholds, and what it gives for one level of alarm."""

    factor: float
    """Factor on the thresholds as configured."""

    distress: float
    """Required before an alarm of the level (distress)."""

    fast: float
    """Probability at which one utterance is enough."""

    recall: Interval | None
    """Of the events of the level."""

    false_per_hour: Interval | None
    """Alarms of the level outside all events."""

    median_s: float | None
    """Median delay from onset to alarm (s)."""

    screams: Interval | None = None
    """Recall of them, by alarms of panic."""

    any_per_hour: Interval | None = None
    """Alarms of any level outside all events."""


@dataclass(frozen=True, slots=True)
class OfCorpus:
    """What homes gave in which people of one corpus live, at the configured thresholds, nobody known."""

    homes: int
    recall: Interval | None
    """Of events of panic."""

    screams: Interval | None
    false_per_hour: Interval | None
    """Alarms of panic outside all events."""


@dataclass(frozen=True, slots=True)
class EventEvaluation:
    """What composed hours gave; every dictionary is by mode, then by kind of event or level of alarm."""

    subject: str
    homes: int
    hours: float
    """Length of one scene times homes (h)."""

    alarm: dict[str, Any]
    """The configuration in force."""

    detections: dict[str, dict[str, Detection]]
    false_alarms: dict[str, dict[str, FalseAlarms]]
    quiet: dict[str, dict[str, FalseAlarms]]
    """Where nothing happened, nobody known: natural talk, meetings and a radio alone; then by level."""

    corpora: dict[str, OfCorpus]
    """By the corpus of who lives there."""

    curves: dict[str, dict[str, list[Point]]]
    """By mode, then by level."""

    delays: dict[str, dict[str, list[float]]]
    """Time to each alarm (s)."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def figures_of(
    heard: Sequence[Heard], alarm: AlarmConfig, *, subject: str, progress: Progress = silent
) -> EventEvaluation:
    """Count, at the configured thresholds and along the curve."""
    lived_in = [one for one in heard if one.hours is Hours.HOME]
    told = [mode for mode in (*MODES, ALONE) if mode in MODES or any(one.mode == mode for one in lived_in)]
    modes = {mode: [one for one in lived_in if one.mode == mode] for mode in told}
    verdicts = {mode: [judge(home, alarm) for home in homes] for mode, homes in modes.items()}
    curves: dict[str, dict[str, list[Point]]] = {mode: {it: [] for it in ALARMS} for mode in modes}
    for factor in tracked(FACTORS, "thresholds", total=len(FACTORS), progress=progress):
        config = scaled(alarm, factor)
        for mode, homes in modes.items():
            found = [judge(home, config) for home in homes]
            for level in ALARMS:
                curves[mode][level].append(_point(found, level, config=config, factor=factor))
    cold = list(zip(modes[MODES[0]], verdicts[MODES[0]], strict=True))
    quiet = {
        hours.value: [judge(one, alarm) for one in heard if one.hours is hours]
        for hours in Hours
        if hours is not Hours.HOME
    }
    return EventEvaluation(
        subject=subject,
        homes=len(modes[MODES[0]]),
        hours=sum(home.seconds for home in modes[MODES[0]]) / 3600,
        alarm=alarm.model_dump(),
        detections={
            mode: {kind.value: _detection(some, kind) for kind in EVENTS} for mode, some in verdicts.items()
        },
        false_alarms={mode: _false_alarms(some) for mode, some in verdicts.items()},
        quiet={hours: _false_alarms(some) for hours, some in quiet.items() if some},
        corpora={
            name: _of_corpus([it for home, it in cold if home.corpus == name])
            for name in sorted({home.corpus for home in lived_in})
        },
        curves=curves,
        delays={
            mode: {
                kind.value: sorted(itertools.chain.from_iterable(_delays(_told(some, kind))))
                for kind in EVENTS
            }
            for mode, some in verdicts.items()
        },
    )


def scaled(alarm: AlarmConfig, factor: float) -> AlarmConfig:
    """The same alarm, asking for ``factor`` times as much; what asks for certainty still does."""
    return AlarmConfig(panic=_scaled(alarm.panic, factor), angry=_scaled(alarm.angry, factor))


def _scaled(level: _Level, factor: float) -> _Level:
    harder = {"distress": level.distress * factor, "fast": _surer(level.fast, factor)}
    return level.model_copy(update=harder)


def _surer(share: float, factor: float) -> float:
    if share in {0.0, 1.0}:
        return share
    return 1 / (1 + math.exp(-factor * math.log(share / (1 - share))))


def _detection(verdicts: Sequence[Verdict], kind: Answer) -> Detection:
    told = _told(verdicts, kind)
    every = [one for home in told for one in home]
    return Detection(
        events=len(every),
        recall=_recall(told),
        any_recall=_ratio([sum(one.after_any is not None for one in home) for home in told], map(len, told)),
        median_s=_quantile(told, 0.5),
        slow_s=_quantile(told, 0.9),
        masked=sum(one.masked for one in every),
        as_panic=sum(one.as_panic for one in every),
    )


def _false_alarms(verdicts: Sequence[Verdict]) -> dict[str, FalseAlarms]:
    causes = {
        name: Counter(it.cause for home in verdicts for it in home.false_alarms if it.level in levels)
        for name, levels in _LEVELS.items()
    }
    return {
        name: FalseAlarms(
            hours=sum(verdict.calm_hours for verdict in verdicts),
            per_hour=_false_per_hour(verdicts, levels),
            causes=dict(causes[name].most_common()),
        )
        for name, levels in _LEVELS.items()
    }


def _of_corpus(verdicts: Sequence[Verdict]) -> OfCorpus:
    return OfCorpus(
        homes=len(verdicts),
        recall=_recall(_told(verdicts, Answer.PANIC)),
        screams=_recall(_told(verdicts, Answer.SCREAM)),
        false_per_hour=_false_per_hour(verdicts, _LEVELS["panic"]),
    )


def _point(verdicts: Sequence[Verdict], level: Label, *, config: AlarmConfig, factor: float) -> Point:
    told, rules = _told(verdicts, Answer(level)), config.panic if level is Label.PANIC else config.angry
    delays = list(itertools.chain.from_iterable(_delays(told)))
    return Point(
        factor=factor,
        distress=rules.distress,
        fast=rules.fast,
        recall=_recall(told),
        false_per_hour=_false_per_hour(verdicts, frozenset({level})),
        median_s=float(np.median(delays)) if delays else None,
        screams=_recall(_told(verdicts, Answer.SCREAM)),
        any_per_hour=_false_per_hour(verdicts, _LEVELS["any"]),
    )


def _told(verdicts: Sequence[Verdict], kind: Answer) -> list[list[Told]]:
    """Events of one kind in each home."""
    return [[one for one in verdict.told if one.answer is kind] for verdict in verdicts]


def _recall(told: Sequence[Sequence[Told]]) -> Interval | None:
    return _ratio([sum(one.after is not None for one in home) for home in told], map(len, told))


def _false_per_hour(verdicts: Sequence[Verdict], levels: frozenset[Label]) -> Interval | None:
    false = [sum(alarm.level in levels for alarm in verdict.false_alarms) for verdict in verdicts]
    return _ratio(false, [verdict.calm_hours for verdict in verdicts])


def _delays(told: Sequence[Sequence[Told]]) -> list[list[float]]:
    return [[one.after for one in home if one.after is not None] for home in told]


def _quantile(told: Sequence[Sequence[Told]], share: float) -> Interval | None:
    delays = _delays(told)
    pools = [
        [delay for home, times in zip(delays, row, strict=True) for delay in home * times]
        for row in _draws(len(told))
    ]
    values = [float(np.quantile(pool, share)) for pool in pools if pool]
    return _interval(values)


def _ratio(top: Iterable[float], bottom: Iterable[float]) -> Interval | None:
    """Of sums over homes."""
    over, under = np.array(list(top), float), np.array(list(bottom), float)
    draws = _draws(len(over))
    sums = draws @ under
    return _interval(((draws @ over)[sums > 0] / sums[sums > 0]).tolist())


def _draws(homes: int) -> NDArray[np.int64]:
    """How often each home is in each draw; in the first, each once."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(homes, np.full(homes, 1 / homes), size=_DRAWS)
    return np.vstack([np.ones(homes, np.int64), drawn])


def _interval(values: Sequence[float]) -> Interval | None:
    """The first is the figure itself."""
    if not values:
        return None
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return Interval(values[0], low, high)
