"""When speech is heard again: as often as it is worth, and no oftener."""

from __future__ import annotations

from typing import Final

from vser_stream.core.scoring.second_look import Look, heard
from vser_stream.values import RATE, Probabilities, Rows, Segment, SegmentKind

__all__ = ["Hearing"]

_MORE: Final = 1.0
"""Speech that must have come before a window is heard again (s). A look costs 3 ms of CPU for each second it
hears, and speech of 8 s has 15 windows: heard at each, it would cost as much as all else."""


class Hearing:
    """The second look of one source; between two looks at one utterance the last answer holds.

    What is heard of an utterance that has ended does not depend on the windows that came before it.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._utterance, self._until = -1, 0
        self._said: Probabilities | None = None

    def again(self, segment: Segment, rows: Rows, first: Probabilities) -> Probabilities | None:
        """What is heard in a segment; None where the first judge has no doubt, or the answer is too late."""
        if not self._look.needed(first):
            return None
        if self._said is None or not self._is_known(segment):
            self._said = self._look.judge.look(heard(segment), rows)
            self._utterance, self._until = segment.start, segment.end
        return self._said

    def _is_known(self, segment: Segment) -> bool:
        more = (segment.end - self._until) / RATE
        holds = more < _MORE if segment.kind is SegmentKind.WINDOW else more == 0.0
        return holds and segment.start == self._utterance
