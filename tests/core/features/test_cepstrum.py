import numpy as np
from python_speech_features import mfcc
from support.audio import voice

from vser_stream.core.features.cepstrum import cepstrum
from vser_stream.values import RATE


def test_every_digit_is_that_of_python_speech_features() -> None:
    audio = voice(1.0)[: 256 * 40 + 512] / 32768.0
    theirs = mfcc(
        audio,
        RATE,
        winlen=0.032,
        winstep=0.016,
        nfft=512,
        lowfreq=80,
        highfreq=4000,
        preemph=0,
        winfunc=np.hamming,
    )
    assert np.array_equal(cepstrum(audio), theirs)


def test_digital_silence_is_finite() -> None:
    assert np.isfinite(cepstrum(np.zeros(2048))).all()
