"""From frames with a speech decision to windows and utterances.

An utterance opens when most of the last frames are speech, reaches back over the pre-roll, and
closes after the hangover, at the longest length, at a gap, or at the end. While it is open a
window of all its speech so far is given off at fixed lengths, so that an alarm need not wait
for the speaker to finish.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from vser_stream.config.schema import SegmentConfig
from vser_stream.core.audio.level import NoiseFloor, level_db
from vser_stream.values import FRAME, RATE, Cut, Frame, Segment, SegmentKind

__all__ = ["Segmenter"]


_ONSET = 3
"""Speech frames among the last four that open an utterance: a click is one or two."""


class Segmenter:
    """State machine: idle, or inside one utterance.

    Feed it every frame in order, then call :meth:`flush` once. The answer depends on the frames
    alone, never on when they arrive.
    """

    def __init__(self, config: SegmentConfig | None = None) -> None:
        config = config or SegmentConfig()
        self._above_floor_db = config.above_floor_db
        self._hangover = _frames(config.hangover)
        self._first_window = _frames(config.first_window)
        self._window_step = _frames(config.window_step)
        self._longest = _frames(config.longest)
        self._floor = NoiseFloor()
        self.level_db: float | None = None
        """Level of the last frame (dB re full scale)."""

        self._before: deque[Frame] = deque(maxlen=_frames(config.preroll) + _ONSET + 1)
        self._votes: deque[bool] = deque(maxlen=_ONSET + 1)
        self._open: list[Frame] = []
        self._onset = 0
        self._speech_end = 0
        self._floor_at_onset = 0.0

    @property
    def floor_db(self) -> float:
        """Noise floor of the source (dB re full scale)."""
        return self._floor.db

    def feed(self, frame: Frame, *, is_speech: bool) -> list[Segment]:
        """Take the next frame and the detector's decision; return what it finished."""
        closed = self._close(Cut.GAP) if frame.after_gap else []
        self.level_db = level_db(frame.pcm)
        floor = self._floor.feed(self.level_db)
        speech = is_speech and self.level_db >= floor + self._above_floor_db
        if self._open:
            return closed + self._continue(frame, speech=speech)
        self._listen(frame, speech=speech)
        return closed

    def flush(self, cut: Cut = Cut.END) -> list[Segment]:
        """Close the open utterance, if any."""
        return self._close(cut)

    def _listen(self, frame: Frame, *, speech: bool) -> None:
        self._before.append(frame)
        self._votes.append(speech)
        if sum(self._votes) < _ONSET:
            return
        self._open = list(self._before)
        first = len(self._open) - len(self._votes) + list(self._votes).index(True)
        self._onset = first
        self._speech_end = len(self._open)
        self._floor_at_onset = self._floor.db
        self._before.clear()
        self._votes.clear()

    def _continue(self, frame: Frame, *, speech: bool) -> list[Segment]:
        self._open.append(frame)
        if speech:
            self._speech_end = len(self._open)
        spoken = len(self._open) - self._onset
        if len(self._open) - self._speech_end >= self._hangover:
            return self._close(Cut.SILENCE)
        if spoken >= self._longest:
            return self._close(Cut.TOO_LONG)
        since = spoken - self._first_window
        if since >= 0 and since % self._window_step == 0:
            return [self._segment(SegmentKind.WINDOW, None)]
        return []

    def _close(self, cut: Cut) -> list[Segment]:
        self._before.clear()
        self._votes.clear()
        if not self._open:
            return []
        segment = self._segment(SegmentKind.UTTERANCE, cut)
        self._open = []
        return [segment]

    def _segment(self, kind: SegmentKind, cut: Cut | None) -> Segment:
        start = self._open[0].start
        first, last = self._open[self._onset], self._open[self._speech_end - 1]
        return Segment(
            kind=kind,
            pcm=np.concatenate([frame.pcm for frame in self._open]),
            start=start,
            onset=start + self._onset * FRAME,
            end=start + self._speech_end * FRAME,
            heard_at=first.heard_at,
            clock_moved=last.heard_at - first.heard_at - (last.start - first.start) / RATE,
            floor_db=self._floor_at_onset,
            cut=cut,
        )


def _frames(seconds: float) -> int:
    """Length in whole frames, at least one."""
    return max(1, round(seconds * RATE / FRAME))
