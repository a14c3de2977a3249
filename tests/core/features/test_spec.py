import numpy as np

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.core.features.log_frequency import CONTEXT
from vser_stream.core.features.spec import digest, golden_vector, quantised
from vser_stream.values import PitchTrack, Spectra


class Flat:
    """Another pitch tracker."""

    def track(self, spectra: Spectra) -> PitchTrack:
        hops = spectra.shape[2] - CONTEXT
        return PitchTrack(f0=np.full(hops, 150.0), voicing=np.ones(hops))


def test_the_same_features_have_the_same_digest() -> None:
    assert digest(SwiftF0Tracker()) == digest(SwiftF0Tracker())
    assert len(digest(Flat())) == 64


def test_another_pitch_model_has_another_digest() -> None:
    assert digest(Flat()) != digest(SwiftF0Tracker())


def test_the_last_digits_of_another_processor_do_not_count() -> None:
    golden = golden_vector(SwiftF0Tracker())
    for factor in (1.0 - 1e-4, 1.0 + 1e-4):
        assert np.array_equal(quantised(golden * np.float32(factor)), quantised(golden))


def test_a_changed_feature_counts() -> None:
    golden = golden_vector(SwiftF0Tracker())
    assert not np.array_equal(quantised(golden * np.float32(1.03)), quantised(golden))
