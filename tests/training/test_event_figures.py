from __future__ import annotations

import json

import pytest
from support.decisions import decision
from support.heard import heard

from vser_stream.config import AlarmConfig, PanicConfig
from vser_stream.training.event_figures import FACTORS, EventEvaluation, figures_of, scaled
from vser_stream.training.homes import MODES, Heard
from vser_stream.training.metrics import Interval
from vser_stream.training.room import Sound
from vser_stream.training.scenes import Event
from vser_stream.values import Label

ALARM = AlarmConfig(panic=PanicConfig(distress=1.5, at_least=0.5, fast=0.9))
PANIC = [Event(Label.PANIC, start, start + 8.0) for start in (200.0, 600.0)]


def home(beliefs: dict[float, float], mode: str) -> Heard:
    """Two panic events, and beliefs in panic at some times."""
    decided = [(at, decision(calm=1 - belief, panic=belief, at=at)) for at, belief in beliefs.items()]
    return heard(PANIC, decided, sounds=[Sound("water", 1000.0, 1100.0)], mode=mode)


@pytest.fixture(scope="module")
def evaluation() -> EventEvaluation:
    found = {201.0: 0.95, 603.0: 0.99, 1050.0: 0.92, 2000.0: 0.6}
    missed = {201.0: 0.7, 202.0: 0.7}
    homes = [home(beliefs, mode) for mode in MODES for beliefs in (found, missed)]
    return figures_of(homes, ALARM, subject="test")


def test_events_told_and_false_alarms_are_counted_over_homes(evaluation: EventEvaluation) -> None:
    panic = evaluation.detections["cold"]["panic"]
    calm_hours = 2 * (3600 - 2 * 11) / 3600
    assert (evaluation.homes, evaluation.hours) == (2, 2.0)
    assert panic.events == 4
    assert panic.recall == Interval(0.75, 0.5, 1.0)
    assert panic.false_per_hour is not None
    assert panic.false_per_hour.value == pytest.approx(1 / calm_hours)
    assert panic.causes == {"water": 1}
    assert panic.median_s is not None
    assert panic.median_s.value == 2.0
    assert (panic.masked, panic.as_panic) == (0, 3)
    assert evaluation.delays["cold"]["panic"] == [1.0, 2.0, 3.0]


def test_a_level_without_events_has_no_recall(evaluation: EventEvaluation) -> None:
    angry = evaluation.detections["cold"]["angry"]
    assert (angry.events, angry.recall, angry.median_s) == (0, None, None)
    assert angry.false_per_hour == Interval(0.0, 0.0, 0.0)


def test_panic_told_as_anger_only_has_no_time_to_alert() -> None:
    angry = [(at, decision(calm=0.001, angry=0.999, at=at)) for at in (201.0, 202.0, 203.0)]
    homes = [heard(PANIC, angry, mode=mode) for mode in MODES]
    panic = figures_of(homes, ALARM, subject="test").detections["cold"]["panic"]
    assert panic.recall == Interval(0.0, 0.0, 0.0)
    assert panic.any_recall == Interval(0.5, 0.5, 0.5)
    assert panic.median_s is None


def test_the_curve_goes_through_the_configured_point(evaluation: EventEvaluation) -> None:
    now = evaluation.detections["cold"]["panic"]
    point = next(point for point in evaluation.curves["cold"]["panic"] if point.factor == 1.0)
    assert (point.distress, point.fast) == pytest.approx((1.5, 0.9))
    assert (point.recall, point.false_per_hour) == (now.recall, now.false_per_hour)
    assert point.median_s == 2.0


def test_a_more_cautious_alarm_tells_less(evaluation: EventEvaluation) -> None:
    points = evaluation.curves["warm 3"]["panic"]
    told = [point.recall.value for point in points if point.recall]
    assert [point.factor for point in points] == list(FACTORS)
    assert (told[0], told[-1]) == (0.75, 0.0)
    assert told == sorted(told, reverse=True)


def test_a_factor_of_one_changes_nothing_and_certainty_stays() -> None:
    once, twice = scaled(ALARM, 1.0), scaled(ALARM, 2.0)
    assert (once.panic.distress, once.panic.fast) == pytest.approx((1.5, 0.9))
    assert twice.panic.distress == 3.0
    assert twice.panic.fast == pytest.approx(81 / 82)  # odds of 9 squared
    assert twice.angry.fast == 1.0


def test_the_figures_are_valid_json(evaluation: EventEvaluation) -> None:
    again = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert again["detections"]["cold"]["panic"]["recall"]["value"] == 0.75
    assert again["alarm"]["panic"]["fast"] == 0.9
