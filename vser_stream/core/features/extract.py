"""From a segment to its row of features."""

from __future__ import annotations

from vser_stream.core.features.functionals import functionals
from vser_stream.core.features.tracks import Tracker
from vser_stream.ports import PitchTracker
from vser_stream.values import Segment, Vector

__all__ = ["Extractor"]


class Extractor:
    """Remembers the utterance it is in: the windows of one utterance share their frames.

    The row of an utterance does not depend on the windows that came before it.
    """

    def __init__(self, pitch_tracker: PitchTracker) -> None:
        self._pitch_tracker = pitch_tracker
        self._start: int | None = None
        self._heard = 0
        self._tracker = Tracker(pitch_tracker)

    def extract(self, segment: Segment) -> Vector:
        """Return the features of the speech from ``onset`` to ``end``."""
        if segment.start != self._start or len(segment.pcm) < self._heard:
            self._start, self._heard = segment.start, 0
            self._tracker = Tracker(self._pitch_tracker)
        self._tracker.feed(segment.pcm[self._heard :])
        self._heard = len(segment.pcm)
        return functionals(self._tracker.tracks(segment.onset - segment.start, segment.end - segment.start))
