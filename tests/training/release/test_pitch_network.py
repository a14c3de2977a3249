import numpy as np
import onnx
from support.audio import voice
from swift_f0 import SwiftF0

from vser_stream.adapters.models.swift_f0 import NETWORK, SwiftF0Tracker
from vser_stream.core.features.log_frequency import CONTEXT, HOP, Spectrogram
from vser_stream.training.release.pitch_network import WHEEL, network


def test_the_shipped_network_is_the_one_in_the_wheel() -> None:
    assert NETWORK.read_bytes() == network(onnx.load(WHEEL))


def test_it_answers_as_the_wheel_does() -> None:
    """In noise too, over many pieces, and up to the end; at the beginning theirs sees another nothing."""
    noise = np.random.default_rng(1).standard_normal(112_000)
    for loudness in (0.0, 0.05):
        audio = (voice(7.0) / 65_536 + loudness * noise).astype(np.float32)[: 112_000 // HOP * HOP]
        ours = SwiftF0Tracker().track(Spectrogram().feed(audio))
        theirs = SwiftF0(threads=1).detect(audio, 16_000)
        assert len(ours.f0) == len(theirs.pitch_hz)
        np.testing.assert_allclose(ours.f0[CONTEXT:], theirs.pitch_hz[CONTEXT:], rtol=1e-5)
        np.testing.assert_allclose(ours.voicing[CONTEXT:], theirs.confidence[CONTEXT:], atol=1e-4)
