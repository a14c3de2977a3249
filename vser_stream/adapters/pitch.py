"""Fundamental frequency by the network of SwiftF0 (MIT, see swift_f0.LICENSE beside its file)."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from vser_stream.adapters.graphs import open_graph
from vser_stream.core.features.log_frequency import CONTEXT
from vser_stream.values import PitchTrack, Spectra

__all__ = ["NETWORK", "SwiftF0Tracker"]

NETWORK = files("vser_stream.adapters") / "swift_f0.onnx"
"""Cut out of the file in the wheel swift-f0 by :mod:`vser_stream.training.pitch_network`."""


class SwiftF0Tracker:
    """Runs the network alone: its spectra come from core.features.log_frequency."""

    def __init__(self) -> None:
        self._session = open_graph(NETWORK.read_bytes(), name=str(NETWORK))

    def track(self, spectra: Spectra) -> PitchTrack:
        """Return one estimate for each hop but the first :data:`CONTEXT`, centred on the start of the hop."""
        if spectra.shape[2] <= CONTEXT:
            return PitchTrack(f0=np.empty(0), voicing=np.empty(0))
        f0, voicing = self._session.run(["f0", "voicing"], {"spectra": spectra[np.newaxis]})
        return PitchTrack(f0=f0[0], voicing=voicing[0].astype(np.float64))
