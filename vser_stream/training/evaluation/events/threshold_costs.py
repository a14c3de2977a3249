"""What the thresholds of the alarm cost in composed homes, as it goes with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from sklearn.isotonic import IsotonicRegression

from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.errors import DataError
from vser_stream.training.evaluation.events.event_metrics import Point
from vser_stream.values import Label

__all__ = ["curve_of", "curves_table"]

_NONE_SEEN = 0.7
"""Alarms in a time in which none was seen: of so many there are none with a chance of one half (log 2)."""


def curve_of(points: Sequence[Point], *, calm_hours: float, hours_a_day: float) -> Curve:
    """The curve of one level.

    Args:
        points: Of one mode and level (:attr:`EventEvaluation.curves`), in any order.
        calm_hours: How long nobody was in distress, over all homes (h).
        hours_a_day: Of a composed home, where somebody speaks nearly all the time, that are as lively as a
            day in a real one (h).

    Raises:
        DataError: Every threshold tells as much as every other, so there is nothing to choose from.
    """
    measured = sorted((it for it in points if it.false_per_hour), key=lambda it: it.distress)
    none = _NONE_SEEN / calm_hours
    rates = [max(it.false_per_hour.value, none) for it in measured if it.false_per_hour]
    # A lower threshold may tell less: an alarm that is on hides the next. What is asked for goes one way.
    falling = IsotonicRegression(increasing=False).fit_transform([it.distress for it in measured], rates)
    rows = [next(alike) for _, alike in groupby(zip(falling, measured, strict=True), key=itemgetter(0))]
    if len(rows) < 2:  # noqa: PLR2004 - one point is no curve
        raise DataError("no threshold tells more than another; compose more hours")
    fast = tuple(round(it.fast, 5) for _, it in rows)
    return Curve(
        per_day=tuple(float(f"{rate * hours_a_day:.5g}") for rate, _ in rows),
        distress=tuple(round(it.distress, 3) for _, it in rows),
        fast=None if max(fast) == 1.0 else fast,
    )


def curves_table(curves: Mapping[Label, Curve]) -> dict[str, dict[str, list[float]]]:
    """Table ``alarm`` of a model's manifest."""
    return {level.value: curve.model_dump(mode="json", exclude_none=True) for level, curve in curves.items()}
