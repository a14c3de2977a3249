import numpy as np
import pytest
from support.audio import cries, voice
from support.decisions import START
from support.listened import Calm, pipeline_of

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baby_cry import ENOUGH_S, LASTS_S, SURE, WITHIN_S, BabyCry, likeness
from vser_stream.core.technical_condition import ConditionName
from vser_stream.values import RATE, Block, Pcm, Vector


def row(pitch: float, tilt: float, voiced: float) -> Vector:
    """Pitch (semitones above 55 Hz), first harmonic over third formant (dB), voice (s)."""
    vector = np.zeros(len(FEATURES), np.float32)
    for name, value in {"pitch_p50": pitch, "h1_a3_mean": tilt, "voiced_s": voiced}.items():
        vector[FEATURES.index(name)] = value
    return vector


CRY = row(36.4, 3.7, 1.5)


@pytest.mark.parametrize(
    "other",
    [
        row(32.5, 28.7, 1.8),
        row(49.3, 8.2, 1.4),
        row(33.6, 14.6, 0.4),
        row(19.9, 20.1, 0.9),
        row(26.2, 21.3, 0.9),
    ],
    ids=["an adult sobs", "an adult screams", "laughter", "calm talk", "panicked talk"],
)
def test_a_typical_cry_is_told_from_what_is_typical_of_others(other: Vector) -> None:
    assert likeness(CRY) > SURE > likeness(other)


def heard(*at: float, lasted: float = ENOUGH_S / 4) -> BabyCry:
    """A cry at each of some times."""
    watch = BabyCry()
    for time in at:
        watch.feed(CRY, lasted=lasted, now=time)
    return watch


def test_a_cry_is_told_when_it_goes_on() -> None:
    assert heard(0, 1, 2).condition(2) is None
    condition = heard(0, 1, 2, 3).condition(3)
    assert condition is not None
    assert (condition.name, condition.priority, condition.since) == (ConditionName.BABY_CRY, "low", 0.0)


def test_single_cries_far_apart_are_not_told() -> None:
    assert heard(*np.arange(0.0, 10 * WITHIN_S, WITHIN_S / 2)).condition(10 * WITHIN_S) is None


def test_it_is_over_when_none_was_heard_for_long_and_one_keeps_it_up() -> None:
    watch = heard(0, 1, 2, 3)
    assert watch.condition(3 + LASTS_S) is None
    watch = heard(0, 1, 2, 3, LASTS_S)
    condition = watch.condition(3 + LASTS_S)
    assert condition is not None
    assert condition.since == 0.0
    assert watch.condition(2 * LASTS_S) is None


def test_talk_neither_makes_a_cry_nor_keeps_it_up() -> None:
    watch = heard(0, 1, 2)
    for time in range(3, 20):
        watch.feed(row(20.0, 20.0, 2.0), lasted=2.0, now=time)
    assert watch.condition(20) is None


@pytest.mark.parametrize(
    ("pcm", "asked", "told"),
    [(cries(8), True, True), (cries(8), False, False), (voice(12.0), True, False)],
    ids=["a baby", "a baby nobody asked for", "somebody talks"],
)
def test_a_source_tells_a_crying_baby_if_it_was_asked_to(pcm: Pcm, *, asked: bool, told: bool) -> None:
    pipeline = pipeline_of(Calm(), baby_cry=asked)
    quiet = np.zeros(RATE, np.int16)
    sound = np.concatenate([quiet, pcm, quiet])
    assert not [*pipeline.conditions()]
    pipeline.feed(Block(pcm=sound, start=0, heard_at=START))
    assert [one.name for one in pipeline.conditions()] == [ConditionName.BABY_CRY] * told


def test_likeness_is_a_log_odds_of_three_figures() -> None:
    here = likeness(row(36.0, 0.0, 0.0))
    assert likeness(row(36.0, 0.0, 3.0)) == pytest.approx(here + 3 * 0.78, abs=1e-5)
    assert likeness(row(36.0, 0.0, 9.0)) == likeness(row(36.0, 0.0, 3.0)), "no breath is that long"
    assert likeness(row(38.0, 0.0, 0.0)) == pytest.approx(here - 2 * 0.26, abs=1e-5)
    assert likeness(row(34.0, 0.0, 0.0)) == likeness(row(38.0, 0.0, 0.0)), "as far below as above"
    assert likeness(row(36.0, 10.0, 0.0)) == pytest.approx(here - 0.7, abs=1e-5)


def test_a_cry_counts_for_as_long_as_it_lasted_within_its_time() -> None:
    assert heard(0.0, lasted=ENOUGH_S).condition(0.0) is not None
    assert heard(0.0, lasted=ENOUGH_S - 0.01).condition(0.0) is None
    close = heard(0.0, WITHIN_S - 0.01, lasted=ENOUGH_S / 2)
    assert close.condition(WITHIN_S) is not None
    apart = heard(0.0, WITHIN_S, lasted=ENOUGH_S / 2)
    assert apart.condition(WITHIN_S) is None


def test_a_condition_is_told_from_the_first_cry_of_those_that_made_it() -> None:
    cry = heard(0.0, 5.0, 6.0, 7.0)
    condition = cry.condition(7.0)
    assert condition is not None
    assert condition.since == 0.0
    assert (condition.name, condition.priority) == (ConditionName.BABY_CRY, "low")
    cry.feed(CRY, lasted=0.1, now=7.0 + LASTS_S - 1.0)
    later = cry.condition(7.0 + LASTS_S)
    assert later is not None
    assert later.since == 0.0, "it goes on, however short"


def test_a_clock_set_back_makes_no_cry_of_the_future() -> None:
    cry = heard(100.0, 101.0, 102.0, 103.0)
    assert cry.condition(103.0) is not None
    assert cry.condition(50.0) is None
    cry.feed(CRY, lasted=0.5, now=50.0)
    assert cry.condition(50.0) is None
