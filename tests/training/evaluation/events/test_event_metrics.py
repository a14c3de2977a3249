from __future__ import annotations

import json

import numpy as np
import pytest
from support.decisions import decision
from support.heard import heard

from vser_stream.config.schema import AlarmConfig, PanicConfig
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.evaluation.events.event_metrics import (
    FACTORS,
    EventEvaluation,
    FalseAlarms,
    figures_of,
    scaled,
)
from vser_stream.training.evaluation.events.homes import MODES, Heard
from vser_stream.training.evaluation.metrics import Interval
from vser_stream.training.simulation.room import Sound
from vser_stream.training.simulation.scenes import Event, Hours

ALARM = AlarmConfig(panic=PanicConfig(distress=1.5, at_least=0.5, fast=0.9))
PANIC = [Event(Answer.PANIC, start, start + 8.0) for start in (200.0, 600.0)]


def home(beliefs: dict[float, float], mode: str) -> Heard:
    """Two panic events, and beliefs in panic at some times."""
    decided = [(at, decision(calm=1 - belief, panic=belief, at=at)) for at, belief in beliefs.items()]
    return heard(PANIC, decided, sounds=[Sound("radio", 1000.0, 1100.0)], mode=mode)


@pytest.fixture(scope="module")
def evaluation() -> EventEvaluation:
    found = {201.0: 0.95, 603.0: 0.99, 1050.0: 0.92, 2000.0: 0.6}
    missed = {201.0: 0.7, 202.0: 0.7}
    homes = [home(beliefs, mode) for mode in MODES for beliefs in (found, missed)]
    told = [(at, decision(calm=0.05, panic=0.95, at=at)) for at in (100.0, 900.0)]
    told += [(at, decision(angry=1.0, at=at)) for at in np.arange(2000.0, 2008.0, 0.5).tolist()]
    homes.append(heard([], told, sounds=[Sound("visitor", 0.0, 3600.0, Answer.CALM)], hours=Hours.TALK))
    return figures_of(homes, ALARM, subject="test")


def test_events_told_and_false_alarms_are_counted_over_homes(evaluation: EventEvaluation) -> None:
    panic = evaluation.detections["cold"]["panic"]
    assert (evaluation.homes, evaluation.hours) == (2, 2.0)
    assert panic.events == 4
    assert panic.recall == Interval(0.75, 0.5, 1.0)
    assert panic.median_s is not None
    assert panic.median_s.value == 2.0
    assert (panic.masked, panic.as_panic) == (0, 3)
    assert evaluation.delays["cold"]["panic"] == [1.0, 2.0, 3.0]


def test_false_alarms_of_panic_and_of_any_level_are_counted_by_what_raised_them(
    evaluation: EventEvaluation,
) -> None:
    calm_hours = 2 * (3600 - 2 * 16) / 3600
    false = evaluation.false_alarms["cold"]
    for level in ("panic", "any"):
        assert false[level].causes == {"radio": 1}
        assert false[level].hours == pytest.approx(calm_hours)
        per_hour = false[level].per_hour
        assert per_hour is not None
        assert per_hour.value == pytest.approx(1 / calm_hours)


def test_hours_in_which_nothing_happens_are_counted_apart(evaluation: EventEvaluation) -> None:
    assert list(evaluation.quiet) == ["talk"]
    talk = evaluation.quiet["talk"]
    assert talk["panic"] == FalseAlarms(1.0, Interval(2.0, 2.0, 2.0), {"visitor": 2})
    assert talk["any"] == FalseAlarms(1.0, Interval(3.0, 3.0, 3.0), {"visitor": 3})


def test_a_kind_without_events_has_no_recall(evaluation: EventEvaluation) -> None:
    scream = evaluation.detections["cold"]["scream"]
    assert (scream.events, scream.recall, scream.median_s) == (0, None, None)


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
    false = {level: it.per_hour for level, it in evaluation.false_alarms["cold"].items()}
    assert (point.recall, point.screams) == (now.recall, None)
    assert (point.false_per_hour, point.any_per_hour) == (false["panic"], false["any"])
    assert point.median_s == 2.0


def test_a_more_cautious_alarm_tells_less(evaluation: EventEvaluation) -> None:
    points = evaluation.curves["warm 3"]["panic"]
    told = [recall.value for point in points if (recall := point.recall)]
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
