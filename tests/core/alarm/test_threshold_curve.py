import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.threshold_curve import Curve, as_asked, following
from vser_stream.values import Label

CURVE = Curve(per_day=(40.0, 10.0, 2.5, 0.5), distress=(2.0, 4.0, 6.0, 9.0), fast=(0.8, 0.9, 0.95, 0.99))
ANGRY = Curve(per_day=(20.0, 1.0), distress=(3.0, 7.0))
CURVES = {Label.PANIC: CURVE, Label.ANGRY: ANGRY}


def allowing(per_day: float, **levels: PanicConfig | AngryConfig) -> AlarmConfig:
    return AlarmConfig.model_validate({"false_alarms_per_day": per_day, **levels})


@pytest.mark.parametrize(
    ("per_day", "distress", "fast"),
    [(10.0, 4.0, 0.9), (5.0, 5.0, None), (1000.0, 2.0, 0.8), (0.01, 9.0, 0.99)],
)
def test_the_thresholds_are_those_that_were_measured_and_between_them_even_in_the_logarithm(
    per_day: float, distress: float, fast: float | None
) -> None:
    asked = as_asked(allowing(per_day), CURVES).panic
    assert asked.distress == pytest.approx(distress)
    assert fast is None or asked.fast == pytest.approx(fast)


@settings(max_examples=200)
@given(st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_who_allows_fewer_false_alarms_is_never_asked_for_less(one: float, other: float) -> None:
    few, many = (as_asked(allowing(per_day), CURVES) for per_day in sorted((one, other)))
    assert few.panic.distress >= many.panic.distress
    assert few.panic.fast >= many.panic.fast
    assert few.angry.distress >= many.angry.distress


@settings(max_examples=200)
@given(st.floats(0.6, 30))
def test_the_rate_at_a_threshold_is_the_one_that_asks_for_it(per_day: float) -> None:
    assert CURVE.per_day_at(CURVE.distress_for(per_day)) == pytest.approx(per_day)


def test_of_anger_no_less_is_asked_for_than_of_panic() -> None:
    easy = Curve(per_day=(20.0, 0.1), distress=(1.0, 1.5))
    asked = as_asked(allowing(10.0), {Label.PANIC: CURVE, Label.ANGRY: easy})
    assert asked.angry.distress == asked.panic.distress == pytest.approx(4.0)
    alone = as_asked(allowing(10.0, angry=AngryConfig(distress=2)), {Label.PANIC: CURVE, Label.ANGRY: easy})
    assert alone.angry.distress == 2.0


def test_without_a_curve_the_thresholds_are_as_they_are() -> None:
    assert as_asked(allowing(0.5), {}) == allowing(0.5)
    only_panic = as_asked(allowing(0.5), {Label.PANIC: CURVE})
    assert only_panic.angry == AlarmConfig().angry
    assert as_asked(allowing(0.5), {Label.ANGRY: ANGRY}).angry.fast == AlarmConfig().angry.fast


def test_what_somebody_set_themselves_stays() -> None:
    config = allowing(10.0, panic=PanicConfig(distress=5.6), angry=AngryConfig(fast=0.97, hold=20))
    asked = as_asked(config, CURVES)
    assert asked.panic.distress == 5.6
    assert asked.panic.fast == pytest.approx(0.9)
    assert asked.angry.distress == pytest.approx(ANGRY.distress_for(10.0))
    assert (asked.angry.fast, asked.angry.hold) == (0.97, 20)
    assert set(following(config, CURVES)) == {Label.ANGRY}
    assert set(following(config.unattended, CURVES)) == {Label.ANGRY}


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_day": [1.0], "distress": [2.0]},
        {"per_day": [2.0, 1.0], "distress": [2.0]},
        {"per_day": [1.0, 2.0], "distress": [2.0, 3.0]},
        {"per_day": [2.0, 2.0], "distress": [2.0, 3.0]},
        {"per_day": [2.0, 1.0], "distress": [3.0, 2.0]},
        {"per_day": [2.0, 0.0], "distress": [2.0, 3.0]},
        {"per_day": [float("inf"), 1.0], "distress": [2.0, 3.0]},
        {"per_day": [2.0, 1.0], "distress": [2.0, float("nan")]},
        {"per_day": [2.0, 1.0], "distress": [2.0, 3.0], "fast": [0.9, 1.0]},
        {"per_day": [2.0, 1.0], "distress": [2.0, 3.0], "fast": [0.9, 0.8]},
        {"per_day": [2.0, 1.0], "distress": [2.0, 3.0], "fast": [0.9]},
    ],
)
def test_what_is_no_curve_is_refused(wrong: dict[str, list[float]]) -> None:
    with pytest.raises(ValidationError):
        Curve.model_validate(wrong)
