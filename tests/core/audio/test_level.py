import numpy as np
import pytest

from vser_stream.core.audio.level import SILENCE_DB, NoiseFloor, level_db
from vser_stream.values import FRAME


def test_a_full_scale_square_wave_is_at_zero_decibels() -> None:
    assert level_db(np.full(FRAME, -32768, np.int16)) == 0.0


def test_digital_silence_has_the_lowest_level_not_full_scale() -> None:
    assert level_db(np.zeros(FRAME, np.int16)) == SILENCE_DB


def test_ten_times_the_amplitude_is_twenty_decibels_more() -> None:
    tone = np.array([300, -300] * (FRAME // 2), np.int16)
    assert level_db(tone * 10) - level_db(tone) == pytest.approx(20.0)


def test_the_floor_falls_at_once_and_rises_three_decibels_a_second() -> None:
    floor = NoiseFloor()
    for _ in range(20):
        floor.feed(-70.0)
    assert floor.db == pytest.approx(-70.0, abs=0.1)
    for _ in range(100):  # 3 s of speech
        floor.feed(-20.0)
    assert floor.db == pytest.approx(-61.0, abs=0.2)
