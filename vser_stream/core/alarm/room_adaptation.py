"""What distress reaches in a room by itself, and which thresholds follow from it.

The curve of a model (:mod:`vser_stream.core.alarm.threshold_curve`) is about other homes. This one may have
a loud sister or a parrot, or nobody who ever raises their voice. So the peaks of distress are counted, each
with the stretch of time it belongs to; what a person confirmed as true is left out. How often a threshold
would be reached is then the mean of what the curve says and of what was counted, by the days behind each (a
Gamma prior and Poisson counts), and the threshold is the lowest that keeps to what is allowed.

Both ways the threshold goes a bounded part only, and never for an utterance that is surely panic: a room
that is noisy for a week makes nobody deaf.

Time here is audio that was heard, in days: while a source is away, paused or broken nothing is learned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.cusum import URGENT_FIRST, rules_of
from vser_stream.core.alarm.threshold_curve import Curve, Curves, as_asked, following, is_set
from vser_stream.values import Label

__all__ = [
    "BINS",
    "HIGHEST",
    "LONGEST_WAIT",
    "LOWEST",
    "Room",
    "Stretch",
    "Threshold",
    "basis_of",
    "judged",
    "lived",
    "noted",
    "raised",
    "reached",
    "settled",
    "thresholds_of",
]

LOWEST, HIGHEST = 0.75, 1.5
"""Times the model's own threshold, what a room may lower and raise it to; distress adds up to twice it."""

HALF_LIFE = 4.0
"""After so much heard time a peak counts half: a week of visitors is forgiven in two (d)."""

CURVE_WORTH = 2.0
"""Heard time the model's curve is worth (d)."""

LONGEST_WAIT = 1.0
"""Heard time in which somebody may say that an alarm was right, before it counts as the room's own (d)."""

AWAY = 1.0
"""Heard time without any voice after which nobody is at home, and an empty room shows nothing (d)."""

MOST_WAITING = 32
"""Stretches with an alarm that wait for somebody's word; in a room with more the oldest counts."""

MOST_ALARMS = 8
"""Alarms of one stretch."""

EDGES = 0.25 * 2.0 ** (np.arange(65) / 8)
"""Of the bins peaks are counted in, a twelfth apart; the last holds all above it (distress)."""

BINS = len(EDGES)

_FACTORS = tuple(percent / 100 for percent in range(round(100 * LOWEST), round(100 * HIGHEST) + 1, 5))
"""Tried from the lowest on; one is as the model has it."""

_Peaks = Mapping[Label, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which voices in distress followed each other: what would be one alarm."""

    peaks: _Peaks = field(default_factory=dict)
    """The most distress from which each level would have been raised."""

    alarms: tuple[str, ...] = ()
    """Ids of those that were raised in it."""

    over_at: float = 0.0
    """Heard time of its end (d)."""

    goes_on: bool = True
    """A voice has spoken for a level in the minute that goes on."""

    true: bool = False
    """A person said that an alarm in it was right."""


@dataclass(frozen=True, slots=True)
class Room:
    """All a room has shown so far: counts of peaks, no voice and no time of day."""

    basis: str = ""
    """What the peaks were measured with, as those of another model say nothing; empty: nothing is learned."""

    heard: float = 0.0
    """Audio so far (d)."""

    voice_at: float = 0.0
    """Heard time of the last voice that was judged (d)."""

    days: float = 0.0
    """Heard time behind the counts, the older the less (d)."""

    counts: Mapping[Label, tuple[float, ...]] = field(default_factory=dict)
    """Stretches by the bin of their peak, the older the less, for each level (dimensionless)."""

    now: Stretch | None = None
    """The stretch that goes on."""

    waiting: tuple[Stretch, ...] = ()
    """Stretches with an alarm of which nobody has said whether it was right, oldest first."""

    factors: Mapping[Label, float] = field(default_factory=dict)
    """Factors on the model's threshold in this room; 1 for a level that is not here."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a level is raised in a room."""

    level: Label
    distress: float
    """In force (distress)."""

    usual: float
    """Where nothing is known of the room (distress)."""

    reason: str
    """For people."""


def noted(room: Room, peaks: _Peaks) -> Room:
    """A voice was judged.

    Args:
        room: As it was.
        peaks: Distress after it, for each level it speaks for.
    """
    if not room.basis:
        return room
    room = replace(room, voice_at=room.heard)
    if not peaks:
        return room
    stretch = room.now or Stretch()
    highest = {
        level: max(peaks.get(level, 0.0), stretch.peaks.get(level, 0.0))
        for level in peaks.keys() | stretch.peaks
    }
    return replace(room, now=replace(stretch, peaks=highest, goes_on=True))


def raised(room: Room, alert_id: str) -> Room:
    """An alarm of that id was raised just now."""
    if not room.basis:
        return room
    stretch = room.now or Stretch()
    others = tuple(other for other in stretch.alarms if other != alert_id)
    return replace(room, now=replace(stretch, alarms=(*others, alert_id)[-MOST_ALARMS:]))


def judged(room: Room, alert_id: str, *, true: bool) -> Room:
    """A person says whether an alarm was right; one that was is not what the room is like by itself."""
    if room.now and alert_id in room.now.alarms:
        return replace(room, now=replace(room.now, true=room.now.true or true))
    about = next((stretch for stretch in room.waiting if alert_id in stretch.alarms), None)
    if about is None:
        return room
    room = replace(room, waiting=tuple(stretch for stretch in room.waiting if stretch is not about))
    return room if true else _counted(room, about)


def lived(room: Room, days: float, *, present: bool) -> Room:
    """So much more was heard, a minute or so (d).

    Args:
        room: As it was.
        days: More.
        present: An alarm condition is present, so the stretch goes on.
    """
    if not room.basis:
        return room
    room = replace(room, heard=room.heard + days)
    if room.heard - room.voice_at <= AWAY:
        kept = 0.5 ** (days / HALF_LIFE)
        counts = {level: tuple(kept * count for count in row) for level, row in room.counts.items()}
        room = replace(room, days=kept * room.days + days, counts=counts)
    return _no_longer_waiting(_closed(room, present=present))


def settled(room: Room, config: AlarmConfig, curves: Curves) -> Room:
    """The room with what is asked for in it now, and without what was measured with something else."""
    basis = basis_of(config, curves)
    if room.basis != basis:
        room = Room(basis=basis)
    asked = as_asked(config, curves)
    factors = {
        level: _factor(room, level, curve, rules_of(level, asked).distress)
        for level, curve in following(config, curves).items()
    }
    if len(factors) > 1:  # of anger no less is asked for than of panic, as without a room
        least = factors[Label.PANIC] * asked.panic.distress / asked.angry.distress
        factors[Label.ANGRY] = max(least, factors[Label.ANGRY])
    return replace(room, factors=factors)


def reached(room: Room, level: Label) -> float | None:
    """Distress this room reaches by itself once a day; None before a day was heard."""
    if room.days < 1.0:
        return None
    often = _at_least(room, level) >= room.days
    return float(EDGES[often][-1]) if often.any() else 0.0


def thresholds_of(config: AlarmConfig, curves: Curves, room: Room) -> tuple[Threshold, ...]:
    """From where on each level is raised, the most urgent first."""
    asked = as_asked(config, curves)
    return tuple(
        Threshold(
            level,
            distress=rules_of(level, asked).distress * room.factors.get(level, 1.0),
            usual=rules_of(level, asked).distress,
            reason=_why(level, config, curves, room),
        )
        for level in URGENT_FIRST
    )


def _why(level: Label, config: AlarmConfig, curves: Curves, room: Room) -> str:
    if is_set(rules_of(level, config)):
        return "set in the configuration"
    if level not in curves:
        return "as shipped: the model has no table of what thresholds cost"
    allowed = f"{config.false_alarms_per_day:g} false alarms a day allowed"
    quiet = reached(room, level)
    if quiet is None:
        return allowed
    return f"{allowed}; the background of this room reaches {quiet:.1f} about once a day"


def basis_of(config: AlarmConfig, curves: Curves) -> str:
    """Digest of all that a peak depends on; empty where there is no curve: then nothing is learned."""
    if not curves:
        return ""
    parts = {
        level.value: [curve.model_dump(mode="json"), rules_of(level, config).model_dump(include=_SUMS)]
        for level, curve in curves.items()
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


_SUMS = {"half_life", "at_least"}


def _closed(room: Room, *, present: bool) -> Room:
    """A stretch ends with the first minute in which nobody spoke for a level."""
    stretch = room.now
    if stretch is None:
        return room
    if stretch.goes_on or present:
        return replace(room, now=replace(stretch, goes_on=False))
    room, stretch = replace(room, now=None), replace(stretch, over_at=room.heard)
    if stretch.true:
        return room
    if stretch.alarms:
        return replace(room, waiting=(*room.waiting, stretch))
    return _counted(room, stretch)


def _no_longer_waiting(room: Room) -> Room:
    while room.waiting:
        first, *others = room.waiting
        if room.heard - first.over_at < LONGEST_WAIT and len(others) < MOST_WAITING:
            break
        room = _counted(replace(room, waiting=tuple(others)), first)
    return room


def _counted(room: Room, stretch: Stretch) -> Room:
    counts = {level: list(room.counts.get(level, (0.0,) * BINS)) for level in URGENT_FIRST}
    for level, peak in stretch.peaks.items():
        if peak >= EDGES[0]:
            counts[level][int(np.searchsorted(EDGES, peak, side="right")) - 1] += 1.0
    return replace(room, counts={level: tuple(row) for level, row in counts.items()})


def _at_least(room: Room, level: Label) -> NDArray[np.float64]:
    """Stretches that reached each edge, shape (BINS,)."""
    counts = np.array(room.counts.get(level, (0.0,) * BINS))
    return counts[::-1].cumsum()[::-1]


def _factor(room: Room, level: Label, curve: Curve, distress: float) -> float:
    """What the threshold must be multiplied by so that there are no more alarms than the curve has at it."""
    if not room.days:
        return 1.0
    allowed = curve.per_day_at(distress)
    reached_by = _at_least(room, level)
    for factor in _FACTORS:
        counted = float(np.interp(factor * distress, EDGES, reached_by))
        expected = CURVE_WORTH * curve.per_day_at(factor * distress) + counted
        if expected <= allowed * (CURVE_WORTH + room.days) * (1.0 + 1e-9):
            return factor
    return HIGHEST
