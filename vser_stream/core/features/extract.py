"""From a segment to its row of features."""

from __future__ import annotations

from typing import Final

from vser_stream.core.features.functionals import functionals
from vser_stream.core.features.pitch import HOP, LEFT, LOOKAHEAD
from vser_stream.core.features.tracks import Tracker
from vser_stream.ports import PitchTracker
from vser_stream.values import Segment, SegmentKind, Vector

__all__ = ["Extractor"]

_BEFORE: Final = (LEFT + 1) * HOP
_AFTER: Final = (LOOKAHEAD + 1) * HOP
"""Audio around the speech that its first and last frames are computed from (samples)."""

_NONE: Final = (-1, -1)


class Extractor:
    """Remembers the utterance it is in: the windows of one utterance share their frames.

    The row of an utterance does not depend on the windows that came before it.
    """

    def __init__(self, pitch_tracker: PitchTracker) -> None:
        self._pitch_tracker = pitch_tracker
        self._tracker = Tracker(pitch_tracker)
        self._utterance = _NONE
        self._first = 0
        self._fed = 0

    def extract(self, segment: Segment) -> Vector:
        """Return the features of the speech from ``onset`` to ``end``."""
        if (segment.start, segment.onset) != self._utterance:
            self._begin(segment)
        until = min(segment.start + len(segment.pcm), segment.end + _AFTER)
        if until > self._fed:
            self._tracker.feed(segment.pcm[self._fed - segment.start : until - segment.start])
            self._fed = until
        if segment.kind is SegmentKind.UTTERANCE:
            self._utterance = _NONE
        return functionals(self._tracker.tracks(segment.onset - self._first, segment.end - self._first))

    def _begin(self, segment: Segment) -> None:
        self._utterance = (segment.start, segment.onset)
        self._first = self._fed = max(segment.start, segment.onset - _BEFORE)
        self._tracker = Tracker(self._pitch_tracker, unasked=segment.onset - self._first)
