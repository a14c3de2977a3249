"""What is technically wrong with one source."""

from __future__ import annotations

import logging

from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.ports import Clock
from vser_stream.runtime.source.parts import SharedConditions, Source

__all__ = ["SourceConditions"]

DRIFT = 5000.0
"""No sound card or camera is that far off: its sampling rate is not what it says (ppm)."""

_log = logging.getLogger(__name__)


class SourceConditions:
    """Finds them, and logs what has become wrong or right.

    Args:
        source: Whose.
        shared: What is wrong elsewhere than here.
        clock: What time it is.
    """

    def __init__(self, source: Source, shared: SharedConditions, *, clock: Clock) -> None:
        self._source, self._shared, self._clock = source, shared, clock
        self._known: tuple[Condition, ...] = ()
        self.raised = 0
        """Conditions so far."""

    def now(self) -> tuple[Condition, ...]:
        """What is wrong with the source now, and what else is to be told of its room."""
        capture = self._source.capture
        found = [
            *self._source.pipeline.signal.conditions,
            *self._shared.of(self._source.name),
            *self._source.pipeline.conditions(),
        ]
        if (since := capture.deaf_since) is not None:
            reason = capture.reason or "being opened"
            found.insert(0, Condition(ConditionName.CAPTURE_LOST, "medium", since, reason))
        if abs(drift := capture.drift_ppm or 0.0) >= DRIFT:
            words = (
                f"its sample clock is {drift / 1e4:+.1f} % off real time; correct its sampling rate, "
                "and check its network for losses"
            )
            known = (one.since for one in self._known if one.name is ConditionName.SAMPLE_CLOCK)
            found.append(Condition(ConditionName.SAMPLE_CLOCK, "low", next(known, self._clock.wall()), words))
        return tuple(found)

    def note(self) -> bool:
        """Log what has changed since the last look; return whether anything has."""
        known, now = {one.name for one in self._known}, self.now()
        for condition in now:
            if condition.name not in known:
                self.raised += 1
                _log.warning("%s: source=%s: %s", condition.name, self._source.name, condition.reason)
        for name in known - {one.name for one in now}:
            _log.info("%s resolved: source=%s", name, self._source.name)
        self._known = now
        return known != {one.name for one in now}
