import numpy as np
import pytest

from vser_stream.core.baseline import Baseline, Prior
from vser_stream.core.describe import DESCRIPTORS, describe, rationale_from
from vser_stream.core.features.functionals import FEATURES
from vser_stream.values import Probabilities, Vector

PANIC = Probabilities(calm=0.02, angry=0.07, panic=0.91)
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


def test_pitch_is_told_in_hertz_beside_its_calm_value() -> None:
    cue = describe(row(pitch_p50=4.0), baseline(utterances=0))[0]
    assert (cue.name, cue.unit, cue.word) == ("pitch level", "Hz", "far above")
    assert cue.baseline == pytest.approx(55 * 2 ** (20 / 12), abs=0.01)
    assert cue.value == pytest.approx(55 * 2 ** (24 / 12), abs=0.01)
    assert cue.z == 4.0


def test_an_absolute_level_is_only_told_once_the_source_is_known() -> None:
    names = [cue.name for cue in describe(CALM_ROW, baseline(utterances=0))]
    assert "loudness" not in names
    assert [cue.name for cue in describe(CALM_ROW, baseline(utterances=1))] == [d.name for d in DESCRIPTORS]


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
    cues = {cue.name: cue for cue in describe(row(peak_rate=by), baseline(utterances=0))}
    assert cues["speech rate"].word == word


def test_a_rationale_names_the_cues_that_moved_most_with_their_figures() -> None:
    cues = describe(row(pitch_p50=4.0, jitter=2.5, hnr_mean=-1.2, shimmer=1.1), baseline(utterances=0))
    assert rationale_from(cues, PANIC, baseline_known=False) == (
        "Sounds panic (91%): pitch level 220 Hz is far above the calm of most voices 174.61 Hz (z +4.0); "
        "jitter 22.5 semitones is well above the calm of most voices 20 semitones (z +2.5); "
        "harmonicity 18.8 dB is somewhat below the calm of most voices 20 dB (z -1.2)."
    )


def test_a_rationale_says_so_when_nothing_moved() -> None:
    calm = Probabilities(calm=0.9, angry=0.06, panic=0.04)
    text = rationale_from(describe(CALM_ROW, baseline(utterances=1)), calm, baseline_known=True)
    assert text == "Sounds calm (90%): every measured cue stays near this voice's calm."
