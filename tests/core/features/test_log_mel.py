from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vser_stream.adapters.models.onnx_second_look import golden_sound
from vser_stream.core.features.log_mel import BANDS, log_mel
from vser_stream.values import RATE

SOUND = golden_sound()
THEIRS = Path(__file__).with_name("log_mel.npz")
"""``compute_whisper_log_mel_features`` of pipecat-ai 1.14.0, at some windows of 8 s of the sound."""


def test_it_is_what_the_package_of_the_encoder_computes() -> None:
    ours = log_mel(np.resize(SOUND, 8 * RATE))
    with np.load(THEIRS) as theirs:
        assert theirs["bands"].std() > 0.1, "not of silence"
        assert np.abs(ours[:, theirs["at"]] - theirs["bands"]).max() < 1e-5


@pytest.mark.parametrize("samples", [400, 6400, 6559, 6560, 20_000, 128_000])
def test_it_has_a_window_for_every_whole_hop_however_long_the_speech_is(samples: int) -> None:
    assert log_mel(np.resize(SOUND, samples)).shape == (BANDS, samples // 160)


def test_how_loud_it_is_plays_no_part() -> None:
    assert np.abs(log_mel(SOUND // 8) - log_mel(SOUND)).max() < 0.1
    assert np.abs(log_mel(SOUND) - log_mel(SOUND[::-1])).max() > 0.3, "what it is does"


@pytest.mark.parametrize("level", [0, 1, -32768])
def test_a_sound_without_a_wave_is_finite(level: int) -> None:
    assert np.isfinite(log_mel(np.full(8000, level, np.int16))).all()
