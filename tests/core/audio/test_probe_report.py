import numpy as np
import pytest
from support.audio import voice

from vser_stream.core.audio.probe_report import survey_of
from vser_stream.core.technical_condition import ConditionName
from vser_stream.values import RATE, Pcm

RNG = np.random.default_rng(0)
ROOM = RNG.normal(scale=20.0, size=RATE).astype(np.int16)
SPOKEN = np.concatenate([ROOM, voice(2.0), ROOM])


def test_speech_in_a_quiet_room_is_good() -> None:
    survey = survey_of(SPOKEN)
    assert survey.seconds == 4.0
    assert survey.floor_db == pytest.approx(-64.3, abs=1.0)
    assert survey.snr_db > 30
    assert (survey.faults, survey.is_mute, survey.clipped) == ((), False, 0.0)
    assert survey.verdict.startswith("good: speech or sound is")


def test_a_room_where_nobody_speaks_is_no_verdict_on_speech() -> None:
    survey = survey_of(np.tile(ROOM, 3))
    assert (survey.faults, survey.is_mute) == ((), False)
    assert "nothing above the noise" in survey.verdict


@pytest.mark.parametrize(
    ("pcm", "fault", "mute"),
    [
        (np.zeros(3 * RATE, np.int16), ConditionName.DIGITAL_SILENCE, True),
        (np.full(3 * RATE, 8, np.int16), ConditionName.STUCK_VALUE, True),
        (RNG.normal(size=3 * RATE).astype(np.int16), ConditionName.LEVEL_LOW, True),
        (
            RNG.normal(scale=40_000, size=3 * RATE).clip(-32768, 32767).astype(np.int16),
            ConditionName.CLIPPING,
            False,
        ),
    ],
)
def test_a_fault_is_the_verdict(pcm: Pcm, fault: ConditionName, *, mute: bool) -> None:
    survey = survey_of(pcm)
    assert (survey.faults, survey.is_mute) == ((fault,), mute)
    assert survey.verdict.count(";") == 1


def test_one_bad_second_among_good_ones_is_none() -> None:
    assert survey_of(np.concatenate([SPOKEN, np.zeros(RATE, np.int16)])).faults == ()
