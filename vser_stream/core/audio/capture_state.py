"""The life of one source as a table: state, event, next state; and how long each wait is.

Pure: the supervisor in :mod:`vser_stream.runtime.source.capture` brings the events and the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CaptureEvent", "CaptureState", "CaptureTransition", "Patience", "advance"]


class CaptureState(StrEnum):
    """Whether a source is heard."""

    IDLE = "idle"
    """Not wanted: before the start, and after a stop."""

    OPENING = "opening"
    RUNNING = "running"
    """Samples flow."""

    STALLED = "stalled"
    """Open, but its audio is too old, whatever its library says."""

    BACKOFF = "backoff"
    """Lost; tried again soon."""

    FAILED = "failed"
    """Somebody has to correct something; tried again now and then."""

    ENDED = "ended"
    """A recording was played to its end."""


class CaptureEvent(StrEnum):
    """What happens to a source."""

    OPENED = "opened"
    """A reader was set to work."""

    HEARD = "heard"
    STALE = "stale"
    """No samples for too long."""

    LOST = "lost"
    REFUSED = "refused"
    """Lost in a way that trying again does not cure."""

    FINISHED = "finished"
    STOPPED = "stopped"


_S, _E = CaptureState, CaptureEvent
_READING = (_S.OPENING, _S.RUNNING, _S.STALLED)

_TABLE: Mapping[tuple[CaptureState, CaptureEvent], CaptureState] = {
    **{(state, _E.OPENED): _S.OPENING for state in (_S.IDLE, _S.BACKOFF, _S.FAILED)},
    **{(state, _E.HEARD): _S.RUNNING for state in (_S.OPENING, _S.STALLED)},
    **{(state, _E.STALE): _S.STALLED for state in (_S.OPENING, _S.RUNNING)},
    **{(state, _E.LOST): _S.BACKOFF for state in _READING},
    **{(state, _E.REFUSED): _S.FAILED for state in (*_READING, _S.BACKOFF)},
    **{(state, _E.FINISHED): _S.ENDED for state in _READING},
    **{(state, _E.STOPPED): _S.IDLE for state in _S if state not in {_S.IDLE, _S.ENDED}},
}
"""Pairs that are missing change nothing: a late sample does not revive a stopped source."""


@dataclass(frozen=True, slots=True)
class CaptureTransition:
    """One change of state."""

    before: CaptureState
    event: CaptureEvent
    after: CaptureState

    at: float
    """Wall time (s)."""

    reason: str | None
    """Why the source is not running, in words."""


def advance(
    state: CaptureState, event: CaptureEvent, *, at: float, reason: str | None = None
) -> CaptureTransition | None:
    """Return the change that ``event`` makes, or None."""
    after = _TABLE.get((state, event))
    return None if after is None else CaptureTransition(state, event, after, at, reason)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is waited for (s)."""

    grace: float = 5.0
    """Allowed on top of ``stale_after`` from opening to the first sample (s): an idle sound server needs
    2 s (measured), a look-up of a name longer."""

    stale_after: float = 10.0
    """Age of the last sample from which a source is stalled (s)."""

    abandon_after: float = 10.0
    """Time a stalled reader still has before another one takes its place (s)."""

    first_wait: float = 1.0
    """Pause after a first outage (s)."""

    longest_wait: float = 60.0
    """Pause after many (s)."""

    refused_wait: float = 300.0
    """Pause after a refusal (s): cameras lock an account after five to seven wrong logins in half an hour."""

    stable_after: float = 30.0
    """Audio that long makes a source healthy (s): the next outage starts with ``first_wait``."""

    most_abandoned: int = 4
    """Readers that hang at the same time; no more are started."""

    def silence_allowed(self, *, heard: bool) -> float:
        """Time without samples after which a source is stalled (s).

        Args:
            heard: There was a sample since opening; before it, time counts from the opening.
        """
        return self.stale_after + (0.0 if heard else self.grace)

    def wait(self, failures: int, jitter: float) -> float:
        """Pause after that many failures in a row (s): 1, 2, 4 ... 60, shortened by up to a half.

        Args:
            failures: At least one.
            jitter: From 0 to 1; spreads sources that were lost together.
        """
        doubled = self.first_wait * 2.0 ** min(failures - 1, 30)
        return min(self.longest_wait, doubled) * (1 - jitter / 2)
