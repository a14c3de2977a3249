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
