"""An hour of a home as the pipeline wrote it down, without any audio."""

from __future__ import annotations

from collections.abc import Sequence

from vser_stream.training.evaluation.events.homes import Heard
from vser_stream.training.simulation.room import Sound
from vser_stream.training.simulation.scenes import Event, Hours
from vser_stream.values import Decision


def heard(
    events: Sequence[Event],
    decisions: Sequence[tuple[float, Decision]],
    *,
    sounds: Sequence[Sound] = (),
    mode: str = "cold",
    hours: Hours = Hours.HOME,
) -> Heard:
    return Heard(
        resident="s0",
        corpus="one",
        hours=hours,
        mode=mode,
        seconds=3600.0,
        events=tuple(events),
        sounds=tuple(sounds),
        decisions=tuple(decisions),
    )
