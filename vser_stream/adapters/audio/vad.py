"""Speech or not, by webrtcvad (from webrtcvad-wheels, the maintained build)."""

from __future__ import annotations

import numpy as np
import webrtcvad

from vser_stream.values import FRAME, RATE, Pcm

__all__ = ["WebRtcVad"]


class WebRtcVad:
    """Gaussian mixture speech detector of WebRTC; adapts, so each source has its own.

    It takes loud noise for speech in every mode: what it lets through must still be gated by
    level and by voicing.
    """

    def __init__(self, mode: int = 2) -> None:
        """``mode`` from 0 (lets most through) to 3 (strictest)."""
        self._vad = webrtcvad.Vad(mode)

    def is_speech(self, pcm: Pcm) -> bool:
        """Whether a frame of exactly :data:`~vser_stream.values.FRAME` samples holds speech.

        Raises:
            ValueError: The frame has another length or type; the library itself accepts some
                such frames silently.
        """
        if pcm.shape != (FRAME,) or pcm.dtype != np.int16:
            raise ValueError(f"got {pcm.dtype} {pcm.shape}; cut audio into int16 frames of {FRAME} samples")
        return bool(self._vad.is_speech(pcm.tobytes(), RATE))
