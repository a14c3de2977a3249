"""Decisions as the alarm sees them, without any audio behind."""

import numpy as np

from vser_stream.values import (
    RATE,
    Cue,
    Cut,
    DecidedBy,
    Decision,
    Probabilities,
    Segment,
    SegmentKind,
)

START = 1_700_000_000.0


def decision(
    *, at: float = 0.0, lasts: float = 1.0, utterance_at: float | None = None, **given: float
) -> Decision:
    """A decision ``at`` seconds after START: of a window if ``utterance_at``, its onset, is given.

    Probabilities are given by their names; those that are not are 0.
    """
    probabilities = Probabilities(**{"calm": 0.0, "angry": 0.0, "panic": 0.0, **given})
    onset_s = at - lasts if utterance_at is None else utterance_at
    onset = round(onset_s * RATE)
    segment = Segment(
        kind=SegmentKind.UTTERANCE if utterance_at is None else SegmentKind.WINDOW,
        pcm=np.zeros(RATE, np.int16),
        start=onset,
        onset=onset,
        end=round(at * RATE),
        heard_at=START + onset_s,
        floor_db=-60.0,
        cut=Cut.SILENCE if utterance_at is None else None,
    )
    cue = Cue(name="pitch level", value=262.0, unit="Hz", baseline=180.0, z=3.4)
    return Decision(
        segment=segment,
        label=probabilities.top,
        probabilities=probabilities,
        escalated=False,
        decided_by=DecidedBy.SVM,
        rationale="Pitch level is far above this voice's calm baseline.",
        evidence=(cue,),
    )
