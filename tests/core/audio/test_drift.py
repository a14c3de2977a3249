import numpy as np
import pytest

from vser_stream.core.audio.drift import ClockDrift
from vser_stream.values import RATE


def measured(ppm: float, seconds: int, *, preroll: float = 0.0, seed: int = 0) -> float | None:
    """The drift found in blocks of 100 ms that arrive 0 to 100 ms late, most of them early."""
    drift = ClockDrift()
    late = np.random.default_rng(seed).exponential(0.02, 10 * seconds).clip(max=0.1)
    for number, delay in enumerate(late, start=1):
        due = number * 0.1 / (1 + ppm * 1e-6)
        drift.feed(number * RATE // 10, (due if due > preroll else 0.0) + float(delay))
    return drift.ppm


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_drift_is_found_to_20_ppm_in_a_few_minutes(ppm: float) -> None:
    assert measured(ppm, 600) == pytest.approx(ppm, abs=20.0)


def test_a_wrong_rate_is_found_in_little_more_than_a_minute() -> None:
    assert measured(10_000.0, 90) == pytest.approx(10_000.0, rel=0.01)


def test_audio_sent_ahead_at_the_start_is_no_drift() -> None:
    assert measured(0.0, 600, preroll=3.0) == pytest.approx(0.0, abs=20.0)


def test_before_a_minute_nothing_is_said() -> None:
    assert measured(10_000.0, 60) is None
