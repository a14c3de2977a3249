import numpy as np
import pytest
from support.audio import voice

from vser_stream.core.audio.quality import Quality, quality_of
from vser_stream.values import RATE, Label, Pcm, Segment, SegmentKind


def segment(pcm: Pcm, floor_db: float = -60.0) -> Segment:
    """``pcm`` between half a second of silence on both sides."""
    pad = np.zeros(RATE // 2, np.int16)
    return Segment(
        kind=SegmentKind.UTTERANCE,
        pcm=np.concatenate([pad, pcm, pad]),
        start=7000,
        onset=7000 + len(pad),
        end=7000 + len(pad) + len(pcm),
        heard_at=0.0,
        floor_db=floor_db,
    )


def test_only_the_speech_counts_and_its_noise_floor() -> None:
    quality = quality_of(segment(np.full(RATE, 3277, np.int16), floor_db=-55.0))
    assert quality.snr_db == pytest.approx(35.0, abs=0.01)
    assert quality.clipped == 0.0


def test_a_voice_under_the_noise_is_too_noisy_whatever_it_says() -> None:
    speech = voice(2.0)
    level = quality_of(segment(speech, floor_db=0.0)).snr_db
    assert quality_of(segment(speech, floor_db=level - 3.1)).too_noisy is None
    assert quality_of(segment(speech, floor_db=level - 2.9)).too_noisy == (
        "too noisy to judge: speech is 2.9 dB over the noise floor"
    )


@pytest.mark.parametrize("clipped", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("label", [Label.ANGRY, Label.PANIC])
def test_clipping_never_takes_an_alarm_away(label: Label, clipped: float) -> None:
    quality = Quality(snr_db=40.0, clipped=clipped)
    assert (quality.too_noisy, quality.cannot_be(label)) == (None, None)


def test_an_overdriven_voice_is_not_called_calm() -> None:
    assert Quality(snr_db=40.0, clipped=0.29).cannot_be(Label.CALM) is None
    assert Quality(snr_db=40.0, clipped=0.3).cannot_be(Label.CALM) == (
        "too overdriven to be called calm: 30% of it is clipped"
    )
