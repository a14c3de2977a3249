from __future__ import annotations

import tomllib

import pytest
from pydantic import BaseModel
from tomli_w import dumps

from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.errors import DataError
from vser_stream.training.evaluation.events.event_metrics import Point
from vser_stream.training.evaluation.events.threshold_costs import curve_of, curves_table
from vser_stream.training.evaluation.metrics import Interval
from vser_stream.values import Label


def measured(*rows: tuple[float, float, float | None]) -> list[Point]:
    """Points of distress, fast, and false alarms an hour."""
    return [
        Point(
            factor=1.0,
            distress=distress,
            fast=fast,
            recall=None,
            false_per_hour=None if rate is None else Interval(rate, rate, rate),
            median_s=None,
        )
        for distress, fast, rate in rows
    ]


def test_a_curve_falls_where_counts_do_not_and_ends_where_none_was_seen() -> None:
    points = measured(
        (8, 0.99, 0.0), (2, 0.8, 3.0), (4, 0.9, 1.0), (3, 0.85, 0.9), (6, 0.95, 0.0), (1, 0.7, None)
    )
    curve = curve_of(points, calm_hours=70.0, hours_a_day=10.0)
    assert curve == Curve(per_day=(30.0, 9.5, 0.1), distress=(2.0, 3.0, 6.0), fast=(0.8, 0.85, 0.95))


def test_a_level_no_utterance_of_which_is_enough_has_a_curve_of_distress_alone() -> None:
    points = measured((2, 1.0, 3.0), (4, 1.0, 1.0))
    assert curve_of(points, calm_hours=10, hours_a_day=24).fast is None


def test_where_no_threshold_matters_there_is_no_curve() -> None:
    with pytest.raises(DataError, match="compose more hours"):
        curve_of(measured((2, 1.0, 0.0), (4, 1.0, 0.0)), calm_hours=10, hours_a_day=24)


def test_a_manifest_gives_back_what_it_was_given() -> None:
    curves = {
        Label.PANIC: Curve(per_day=(3.0, 0.5), distress=(2.0, 5.0), fast=(0.9, 0.99)),
        Label.ANGRY: Curve(per_day=(2.0, 1.0), distress=(2.0, 3.0)),
    }

    class Manifest(BaseModel):
        alarm: dict[Label, Curve]

    document = tomllib.loads(dumps({"alarm": curves_table(curves)}))
    assert Manifest.model_validate(document).alarm == curves
