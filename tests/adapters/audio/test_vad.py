import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.values import FRAME, Pcm


def share(vad: WebRtcVad, pcm: Pcm) -> float:
    frames = [pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME + 1, FRAME)]
    return float(np.mean([vad.is_speech(frame) for frame in frames]))


def test_a_voice_is_speech_and_silence_is_not() -> None:
    assert share(WebRtcVad(), voice(3.0)) > 0.9
    assert share(WebRtcVad(), np.zeros(16_000, np.int16)) == 0.0


def test_a_stricter_mode_lets_less_hiss_through() -> None:
    hiss = (np.random.default_rng(1).normal(size=32_000) * 1000).astype(np.int16)
    assert share(WebRtcVad(0), hiss) > 0.9
    assert share(WebRtcVad(3), hiss) < 0.1


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.int16),
        np.zeros(FRAME - 1, np.int16),
        np.zeros(320, np.int16),
        np.zeros(FRAME, np.float32),
    ],
    ids=["empty", "short", "20 ms", "float"],
)
def test_anything_but_a_frame_is_refused(pcm: Pcm) -> None:
    with pytest.raises(ValueError, match="cut audio into int16 frames of 480 samples"):
        WebRtcVad().is_speech(pcm)
