from itertools import pairwise

import numpy as np
import pytest
from support.audio import tone, voice

from vser_stream.core.features.log_frequency import BANDS, CONTEXT, HOP, WINDOWS, Spectrogram
from vser_stream.values import Pcm, Samples, Spectra

HOPS = 60


def samples(pcm: Pcm) -> Samples:
    return (pcm[: HOPS * HOP] / 32768.0).astype(np.float32)


def spectra(audio: Samples) -> Spectra:
    """Without what was before."""
    return Spectrogram().feed(audio)[..., CONTEXT:]


def test_each_hop_has_a_spectrum_through_each_window() -> None:
    assert spectra(samples(voice(1.0))).shape == (len(WINDOWS), BANDS, HOPS)


@pytest.mark.parametrize("cuts", [[1], [2, 3, 4, 30], [59]])
def test_spectra_do_not_depend_on_how_the_audio_was_cut(cuts: list[int]) -> None:
    audio = samples(voice(1.0))
    stream = Spectrogram()
    for start, end in pairwise([0, *cuts, HOPS]):
        found = stream.feed(audio[start * HOP : end * HOP])
    np.testing.assert_allclose(found[..., CONTEXT:], spectra(audio), atol=1e-4)


def test_what_is_forgotten_is_the_oldest() -> None:
    audio = samples(voice(1.0))
    stream = Spectrogram()
    stream.feed(audio[: 40 * HOP])
    stream.forget(10)
    np.testing.assert_allclose(stream.feed(audio[40 * HOP :]), spectra(audio)[..., 3:], atol=1e-4)


@pytest.mark.parametrize("octaves", [1, 2, 3, 4])
def test_a_tone_stands_at_its_pitch(octaves: int) -> None:
    """The last filter that is a pitch stands at 2093.75 Hz, each octave 17.15 filters below."""
    heard = spectra(samples(tone(1.0, frequency=2093.75 / 2**octaves)))
    assert heard[1, :, 30].argmax() == pytest.approx(94 - 17.15 * octaves, abs=1.0)


def test_silence_is_finite() -> None:
    assert np.isfinite(spectra(np.zeros(HOPS * HOP, np.float32))).all()
