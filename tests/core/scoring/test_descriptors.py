import numpy as np
import pytest

from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.features.tracks import FRAME_PERIOD
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.scoring.descriptors import DESCRIPTORS, FARTHEST, Kind, describe
from vser_stream.values import LEVELS, Cue, Vector, level_word

CALM_ROW = np.full(len(FEATURES), 20.0, np.float32)


def baseline(*, utterances: int) -> Baseline:
    ones = np.ones(len(FEATURES), np.float32)
    known = Baseline.from_prior(Prior(location=CALM_ROW, scale=ones, weight=ones))
    for _ in range(utterances):
        known = known.updated(CALM_ROW)
    return known


def row(**moved: float) -> Vector:
    vector = CALM_ROW.copy()
    for feature, by in moved.items():
        vector[FEATURES.index(feature)] += by
    return vector


def cues_of(vector: Vector, *, utterances: int = 1, floor_db: float = -60.0) -> dict[str, Cue]:
    cues = describe(vector, baseline(utterances=utterances), floor_db=floor_db)
    return {cue.name: cue for cue in cues}


def test_pitch_is_told_in_hertz_beside_its_calm_value() -> None:
    cue = cues_of(row(pitch_p50=4.0), utterances=0)["pitch level"]
    assert (cue.unit, cue.word) == ("Hz", "far above")
    assert cue.baseline == pytest.approx(55 * 2 ** (20 / 12), abs=0.01)
    assert cue.value == pytest.approx(55 * 2 ** (24 / 12), abs=0.01)
    assert cue.z == 4.0


def test_an_absolute_level_is_only_told_once_the_source_is_known() -> None:
    assert "intensity" not in cues_of(CALM_ROW, utterances=0)
    assert list(cues_of(CALM_ROW)) == [d.name for d in DESCRIPTORS]


def test_loudness_is_told_over_the_noise_floor_and_its_distance_does_not_depend_on_it() -> None:
    quiet, noisy = (cues_of(row(level_p50=3.0), floor_db=floor)["intensity"] for floor in (-60.0, -40.0))
    assert (quiet.value, quiet.baseline, quiet.unit) == (83.0, 80.0, "dB over floor")
    assert (noisy.value, noisy.baseline) == (63.0, 60.0)
    assert quiet.z == noisy.z


@pytest.mark.parametrize(
    ("by", "word"),
    [
        (0.9, "near"),
        (1.5, "somewhat above"),
        (-1.5, "somewhat below"),
        (3.0, "well above"),
        (-5.0, "far below"),
    ],
)
def test_words_follow_the_distance_from_calm(by: float, word: str) -> None:
    assert cues_of(row(peak_rate=by), utterances=0)["speech rate"].word == word


def test_brighter_is_above() -> None:
    assert cues_of(row(centroid_mean=2.5))["brightness"].word == "well above"


def test_every_level_has_a_distance() -> None:
    assert {level_word(step / 10) for step in range(-60, 61)} == set(LEVELS)


def test_a_distance_is_trusted_more_with_every_calm_utterance_and_every_second_of_voice() -> None:
    by_count = [cues_of(CALM_ROW, utterances=n)["jitter"].confidence for n in (0, 1, 3, 30)]
    by_length = [cues_of(row(voiced_s=s - 20.0))["jitter"].confidence for s in (0.05, 0.3, 1.0, 5.0)]
    assert by_count == sorted(set(by_count))
    assert by_length == sorted(set(by_length))
    assert 0.0 < min(by_count + by_length) < max(by_count + by_length) <= 1.0


def test_the_pitch_of_a_stranger_is_hardly_trusted() -> None:
    """The population's mean is worth a fourteenth of an utterance of the speaker's own."""
    ones = np.ones(len(FEATURES), np.float32)
    weight = ones.copy()
    weight[FEATURES.index("pitch_p50")] = 0.07
    start = Baseline.from_prior(Prior(location=CALM_ROW, scale=ones, weight=weight))
    pitch, *others = describe(CALM_ROW, start, floor_db=-60.0)
    assert pitch.confidence < 0.3 < min(cue.confidence for cue in others)


def test_no_cue_is_farther_from_calm_than_is_said() -> None:
    assert {abs(cue.z) for cue in describe(CALM_ROW + 99.0, baseline(utterances=1), floor_db=0.0)} == {
        FARTHEST
    }


def test_there_are_cues_of_every_kind() -> None:
    assert {one.kind for one in DESCRIPTORS} == set(Kind)


@pytest.mark.parametrize(
    ("name", "feature", "unit", "factor"),
    [
        ("brightness", "centroid_mean", "Hz", 1000.0),
        ("pauses", "pause_share", "%", 100.0),
        ("spectral change", "flux_mean", "%", 100.0),
        ("share of rising pitch", "pitch_rising_share", "%", 100.0),
        ("rate of intensity change", "energy_motion", "dB/s", 1.0 / FRAME_PERIOD),
        ("jitter", "jitter", "semitones", 1.0),
        ("speech rate", "peak_rate", "peaks/s", 1.0),
    ],
)
def test_each_cue_is_told_in_its_unit_beside_its_calm_value(
    name: str, feature: str, unit: str, factor: float
) -> None:
    cue = cues_of(row(**{feature: 1.5}))[name]
    assert cue.unit == unit
    assert cue.value == pytest.approx(21.5 * factor, abs=0.005)
    assert cue.baseline == pytest.approx(20.0 * factor, abs=0.005)


def test_figures_have_two_decimals() -> None:
    cue = cues_of(row(jitter=1.23456))["jitter"]
    assert cue.value == 21.23
    for told in (cue.value, cue.baseline, cue.z, cue.confidence):
        assert round(told, 2) == told
