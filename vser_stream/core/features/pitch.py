"""Pitch of a stream: every hop is computed once, with what the network looks at around it.

SwiftF0 sees 2815 samples to either side of the centre of a hop: half of its longest window of 2048
samples and seven hops of convolution. What lies before a hop is remembered. For what lies after
it, eleven hops would reproduce a single pass over the whole stream exactly; seven do within 0.02 of
voicing and 0.2 cents of pitch, without one voicing decision changed (measured on 1,803 hops of speech).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.features.log_frequency import HOP, Spectrogram
from vser_stream.ports import PitchTracker
from vser_stream.values import PitchTrack, Samples

__all__ = ["HOP", "LEFT", "LOOKAHEAD", "PitchStream"]

LEFT = 8
"""Hops of audio that a hop wants before it: three more would change as little as three more after it."""

LOOKAHEAD = 7
"""Hops of context after a hop."""

TARGET_PEAK = 0.5
"""Peak that speech is brought to (full scale 1).

SwiftF0 hears less voicing in quiet audio: 20 dB down it changes 4 % of its voicing decisions,
40 dB down 30 % (measured on Polish studio speech).
"""

LOWEST_PEAK = 1e-3
"""Audio peaking below this is not amplified further: it is mostly steps of the converter."""

_SILENT = np.float32(1e-3)
"""Peak of a hop, of speech brought to an even level, below which the network's answer is arbitrary.

The limit of swift_f0 itself.
"""


class PitchStream:
    """Feed it audio, read the track; the result does not depend on how the audio was cut.

    Args:
        tracker: Of the hops.
        unasked: Hops at the beginning that are only there to be looked at: NaN in the track.
    """

    def __init__(self, tracker: PitchTracker, *, unasked: int = 0) -> None:
        self._tracker = tracker
        self._spectrogram = Spectrogram()
        self._rest: Samples = np.empty(0, np.float32)
        self._peak = 0.0
        self._final = unasked
        self._oldest = 0
        self._f0: NDArray[np.float64] = np.full(unasked, np.nan)
        self._voicing: NDArray[np.float64] = np.full(unasked, np.nan)
        self._silent: NDArray[np.bool_] = np.empty(0, np.bool_)

    def feed(self, samples: Samples) -> PitchTrack:
        """Take the next samples; return the track of all whole hops since the start.

        Its last seven hops are what the audio so far suggests, and may still change.
        """
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % HOP
        self._rest = samples[whole:]
        if whole:
            self._advance(self._even(samples[:whole]))
        return PitchTrack(f0=self._f0, voicing=self._voicing)

    def _even(self, samples: Samples) -> Samples:
        """Divide by the highest peak so far, without a step from hop to hop."""
        hops = samples.reshape(-1, HOP)
        peaks = np.maximum.accumulate(np.maximum(np.abs(hops).max(axis=1), max(self._peak, LOWEST_PEAK)))
        before = np.concatenate([[self._peak or peaks[0]], peaks[:-1]])
        self._peak = float(peaks[-1])
        ramp = np.arange(1, HOP + 1) / HOP
        gains = TARGET_PEAK * ((1.0 - ramp) / before[:, np.newaxis] + ramp / peaks[:, np.newaxis])
        return np.asarray(hops * gains, np.float32).reshape(-1)

    def _advance(self, samples: Samples) -> None:
        """Track the hops that are not final yet."""
        spectra = self._spectrogram.feed(samples)
        track = self._tracker.track(spectra[..., self._final - self._oldest :])
        silent = np.abs(samples).reshape(-1, HOP).max(axis=1) < _SILENT
        self._silent = np.concatenate([self._silent, silent])
        voicing = np.where(self._silent[self._final :], 0.0, track.voicing)
        self._f0 = np.concatenate([self._f0[: self._final], track.f0])
        self._voicing = np.concatenate([self._voicing[: self._final], voicing])
        settled = max(len(self._silent) - LOOKAHEAD, self._oldest)
        self._spectrogram.forget(settled - self._oldest)
        self._oldest, self._final = settled, max(settled, self._final)
