"""Fundamental frequency by the network of SwiftF0 (MIT, see swift_f0.LICENSE beside its file)."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.core.features.log_frequency import CONTEXT
from vser_stream.values import PitchTrack, Spectra

__all__ = ["NETWORK", "SwiftF0Tracker"]

NETWORK = files(__package__) / "swift_f0.onnx"
"""Cut out of the file in the wheel swift-f0 by :mod:`vser_stream.training.release.pitch_network`."""

_PIECE = 192
"""Hops that are computed together: more take longer each, and 20 MB of memory for an utterance of 8 s."""


class SwiftF0Tracker:
    """Runs the network alone: its spectra come from core.features.log_frequency."""

    def __init__(self) -> None:
        self._session = open_graph(NETWORK.read_bytes(), name=str(NETWORK))

    def track(self, spectra: Spectra) -> PitchTrack:
        """Return one estimate for each hop but the first :data:`CONTEXT`, centred on the start of the hop."""
        f0, voicing = [np.empty(0)], [np.empty(0)]
        for first in range(0, spectra.shape[2] - CONTEXT, _PIECE):
            # The network looks as far ahead as back.
            seen = spectra[np.newaxis, ..., first : first + _PIECE + 2 * CONTEXT]
            answers = self._session.run(["f0", "voicing"], {"spectra": seen})
            f0.append(answers[0][0, :_PIECE])
            voicing.append(answers[1][0, :_PIECE].astype(np.float64))
        return PitchTrack(f0=np.concatenate(f0), voicing=np.concatenate(voicing))
