"""Many channels to one, so that whoever is heard in any of them is heard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vser_stream.values import RATE, Pcm

__all__ = ["Downmix"]

_CELL = RATE // 10
"""Energies are compared and channels changed on a grid, however the input is cut (samples)."""

_KEEPS = 0.8
"""Share of the energies that a cell leaves to the next: about half a second."""

_CANCELS = 0.1
"""The mean has less of the loudest channel's energy: opposite phase, or one voice in many channels."""

_AGREES = 0.2
_LOUDER = 2.0


class Downmix:
    """The mean of all channels; where that would lose a voice, the loudest channel.

    Balanced microphones on a stereo input cancel out in the mean, and one live channel of eight is
    18 dB down in it.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._mean = np.full(channels, 1.0 / channels)
        self._before = self._weights = self._mean
        self._chosen: int | None = None
        self._energies = np.zeros(channels)
        self._energy_of_sum = 0.0
        self._at = 0

    def feed(self, pcm: NDArray[np.int16]) -> Pcm:
        """Mix the next samples, shape (n, channels)."""
        parts, at = [np.empty(0, np.int16)], 0
        while at < len(pcm):
            part = pcm[at : at + _CELL - self._at].astype(np.float64)
            at += len(part)
            parts.append(self._mixed(part))
            self._weigh(part)
        return np.concatenate(parts)

    def _mixed(self, part: NDArray[np.float64]) -> Pcm:
        fade = ((np.arange(len(part)) + self._at) / _CELL)[:, np.newaxis]
        weights = self._before + (self._weights - self._before) * fade
        mixed: Pcm = np.rint((part * weights).sum(axis=1)).astype(np.int16)
        return mixed

    def _weigh(self, part: NDArray[np.float64]) -> None:
        self._energies += (part**2).sum(axis=0)
        self._energy_of_sum += float((part.sum(axis=1) ** 2).sum())
        self._at += len(part)
        if self._at < _CELL:
            return
        self._at, self._before = 0, self._weights
        self._choose()
        self._energies *= _KEEPS
        self._energy_of_sum *= _KEEPS

    def _choose(self) -> None:
        loudest = int(self._energies.argmax())
        most = float(self._energies[loudest])
        if most == 0.0:
            return
        share = self._energy_of_sum / len(self._mean) ** 2 / most
        if share >= (_CANCELS if self._chosen is None else _AGREES):
            self._chosen, self._weights = None, self._mean
        elif self._chosen is None or self._energies[self._chosen] * _LOUDER < most:
            self._chosen = loudest
            self._weights = np.eye(len(self._mean))[loudest]
