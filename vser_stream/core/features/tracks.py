"""Frame-level tracks of one utterance, each frame computed once.

Frames of 32 ms stand 16 ms apart, on the grid of the pitch tracker: frame ``k`` covers hops ``k``
and ``k + 1`` and belongs to pitch estimate ``k + 1``, which is centred on the same sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.signal

from vser_stream.core.features.cepstrum import MFCCS, PREEMPHASIS, cepstrum
from vser_stream.core.features.pitch import HOP, PitchStream
from vser_stream.core.features.spectrum import Array, Spectrum, analyse, periodicity
from vser_stream.ports import PitchTracker
from vser_stream.values import RATE, Pcm, PitchTrack

__all__ = ["FRAME_PERIOD", "Tracker", "Tracks"]

FRAME_PERIOD: Final = HOP / RATE
"""Distance of two frames (s)."""

_HIGH_PASS = scipy.signal.butter(2, 80.0, "highpass", fs=RATE, output="sos")
"""Mains hum is voiced to every pitch tracker (measured)."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Consecutive frames, :data:`FRAME_PERIOD` apart."""

    f0: Array
    """Pitch, also where unvoiced (Hz), shape (n,)."""

    voicing: Array
    """Score from 0 to 1; voiced from 0.5 on, shape (n,)."""

    level: Array
    """Level from 80 Hz to 4 kHz (dB re full scale), shape (n,)."""

    mfcc: Array
    """The first is the logarithm of the frame's energy, shape (n, 13)."""

    balance: Array
    """Columns :data:`~vser_stream.core.features.spectrum.BALANCE`, shape (n, 14)."""

    periodicity: Array
    """Columns :data:`~vser_stream.core.features.spectrum.PERIODICITY`, shape (n, 3)."""


class Tracker:
    """Feed it the audio of one utterance in pieces of any length.

    Args:
        pitch_tracker: Of all frames.
        unasked: Samples at the beginning that no track will be asked of.
    """

    def __init__(self, pitch_tracker: PitchTracker, *, unasked: int = 0) -> None:
        self._pitch = PitchStream(pitch_tracker, unasked=-(-unasked // HOP))
        self._track = PitchTrack(f0=np.empty(0), voicing=np.empty(0))
        self._filter = np.zeros((len(_HIGH_PASS), 2))
        self._last = 0.0
        self._audio: Array = np.empty(0)
        self._emphasised: Array = np.empty(0)
        self._spectrum = Spectrum.empty()
        self._mfcc: Array = np.empty((0, MFCCS))

    def feed(self, pcm: Pcm) -> None:
        """Take the next samples and compute the frames they complete."""
        if not len(pcm):
            return
        audio, self._filter = scipy.signal.sosfilt(_HIGH_PASS, pcm / 32768.0, zi=self._filter)
        self._track = self._pitch.feed(audio.astype(np.float32))
        emphasised = audio.copy()
        emphasised[0] -= PREEMPHASIS * self._last
        emphasised[1:] -= PREEMPHASIS * audio[:-1]
        self._last = float(audio[-1])
        self._audio = np.concatenate([self._audio, audio])
        self._emphasised = np.concatenate([self._emphasised, emphasised])
        frames = len(self._audio) // HOP - 1
        if frames > 0:
            self._analyse(frames)

    def _analyse(self, frames: int) -> None:
        whole = (frames + 1) * HOP
        self._spectrum = self._spectrum.followed_by(analyse(self._audio[:whole], self._spectrum))
        self._mfcc = np.concatenate([self._mfcc, cepstrum(self._emphasised[:whole])])
        self._audio = self._audio[frames * HOP :]
        self._emphasised = self._emphasised[frames * HOP :]

    def tracks(self, start: int, end: int) -> Tracks:
        """Return the frames centred in ``[start, end)``, counted from the first sample fed.

        The pitch of the last seven frames before the end of the audio is provisional.
        """
        frames = slice(max(-(-start // HOP) - 1, 0), max(-(-end // HOP) - 1, 0))
        spectrum = self._spectrum.within(frames)
        f0 = self._track.f0[1:][frames]
        return Tracks(
            f0=f0,
            voicing=self._track.voicing[1:][frames],
            level=spectrum.level,
            mfcc=self._mfcc[frames],
            balance=spectrum.balance,
            periodicity=periodicity(spectrum, f0),
        )
