"""Every value that crosses a stage: frozen, with the unit under each field.

Audio is 16 kHz mono. Positions count samples since the source was opened; wall time is
Unix time in seconds and is carried beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANSWERS",
    "FRAME",
    "LABELS",
    "LEVELS",
    "NEAR",
    "RATE",
    "About",
    "Block",
    "Case",
    "Cue",
    "Cut",
    "DecidedBy",
    "Decision",
    "FiredRule",
    "Frame",
    "Label",
    "Memory",
    "Message",
    "MessageKind",
    "Pcm",
    "PitchTrack",
    "Probabilities",
    "RationaleBy",
    "Record",
    "Rows",
    "Samples",
    "Segment",
    "SegmentKind",
    "Sound",
    "Spectra",
    "Urgency",
    "Vector",
    "level_word",
]

RATE = 16_000
"""Sampling rate of all audio inside the package (Hz)."""

FRAME = 480
"""Length of a frame, 30 ms: the longest, and per second cheapest, webrtcvad takes (samples)."""

Pcm = NDArray[np.int16]
"""Audio as captured, shape (n,)."""

Samples = NDArray[np.float32]
"""Audio in [-1, 1), shape (n,)."""

Spectra = NDArray[np.float32]
"""Logarithms of amplitudes, hop by hop (see core.features.log_frequency), shape (3, 128, n)."""

Vector = NDArray[np.float32]
"""One row of features, shape (n_features,)."""

Rows = NDArray[np.float32]
"""What a model is asked of one voice, shape (n, n_inputs)."""


class Label(StrEnum):
    """What a voice sounds like."""

    CALM = "calm"
    ANGRY = "angry"
    PANIC = "panic"


LABELS = (Label.CALM, Label.ANGRY, Label.PANIC)
"""Order of every probability triple."""

ANSWERS = (*(label.value for label in LABELS), "other", "scream")
"""Order of the answers of a model that also knows sounds that are neither: lively speech, laughter,
music and other harmless sounds; and distress without words."""


class Sound(StrEnum):
    """What was heard, where it is not all a voice that speaks."""

    VOICE = "voice"
    HARMLESS = "harmless"
    """Lively speech, laughter, music: no calm voice, and yet nothing to worry about."""

    WORDLESS = "wordless"
    """A scream, sobs, moans."""


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated belief in each label; calm, angry and panic sum to one."""

    calm: float
    """Probability that nothing is to worry about, ``other`` included."""

    angry: float
    """Probability of anger."""

    panic: float
    """Probability of distress, ``wordless`` included."""

    other: float = field(default=0.0, kw_only=True)
    """Probability of the part of ``calm`` that is no calm voice: lively speech, any harmless sound."""

    wordless: float = field(default=0.0, kw_only=True)
    """Probability of the part of ``panic`` that is no speech: screams, sobs, moans."""

    @classmethod
    def folded(cls, answers: Sequence[float]) -> Self:
        """Make one of a model's answers, in the order of :data:`LABELS` or :data:`ANSWERS`.

        Raises:
            ValueError: They are neither three nor five.
        """
        calm, angry, panic, other, scream = (*answers, 0.0, 0.0) if len(answers) == len(LABELS) else answers
        total = calm + angry + panic + other + scream
        shares = {
            "calm": calm + other,
            "angry": angry,
            "panic": panic + scream,
            "other": other,
            "wordless": scream,
        }
        return cls(**{name: float(share / total) for name, share in shares.items()})

    @classmethod
    def mean(cls, opinions: Sequence[Probabilities]) -> Self:
        """The mean of at least one opinion."""
        names = ("calm", "angry", "panic", "other", "wordless")
        return cls(**{name: sum(getattr(one, name) for one in opinions) / len(opinions) for name in names})

    @property
    def answers(self) -> tuple[float, float, float, float, float]:
        """The belief in each of :data:`ANSWERS`; sums to one."""
        return (*self.spoken, self.other, self.wordless)

    @property
    def spoken(self) -> tuple[float, float, float]:
        """The belief in calm, angry and panicked speech, without the sounds that are neither."""
        return (self.calm_voice, self.angry, self.panic - self.wordless)

    @property
    def calm_voice(self) -> float:
        """Belief that it is a voice, and calm: what a baseline may learn from."""
        return self.calm - self.other

    def mostly(self, label: Label) -> Sound:
        """What most of the belief in a label is about."""
        part = {Label.CALM: self.other, Label.PANIC: self.wordless}.get(label, 0.0)
        if part <= self.of(label) / 2.0:
            return Sound.VOICE
        return Sound.HARMLESS if label is Label.CALM else Sound.WORDLESS

    @property
    def by_label(self) -> dict[str, float]:
        """The belief in each label, as documents tell it."""
        return {label.value: self.of(label) for label in LABELS}

    @property
    def parts(self) -> dict[str, float] | None:
        """What ``calm`` and ``panic`` are made of, as documents tell it; None where a model does not say."""
        told = {"other": self.other, "wordless": self.wordless}
        return told if any(told.values()) else None

    @property
    def top(self) -> Label:
        """The most probable label; on a tie the more urgent one."""
        return max(reversed(LABELS), key=self.of)

    @property
    def confidence(self) -> float:
        """Probability of the top label."""
        return max(self.calm, self.angry, self.panic)

    def of(self, label: Label) -> float:
        """Probability of one label."""
        return float(getattr(self, label.value))


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive audio as a source delivered it.

    A block that does not start where the last one ended follows a gap.
    """

    pcm: Pcm
    """Read-only from here on, shape (n,)."""

    start: int
    """Position of the first sample since the source was opened (samples)."""

    heard_at: float
    """Wall time of the first sample (s)."""

    def __post_init__(self) -> None:
        self.pcm.flags.writeable = False

    @property
    def end(self) -> int:
        """Position just after the last sample (samples)."""
        return self.start + len(self.pcm)


@dataclass(frozen=True, slots=True, eq=False)
class Frame(Block):
    """A block of exactly :data:`FRAME` samples."""

    after_gap: bool = False
    """Samples were lost just before this frame."""


class SegmentKind(StrEnum):
    """Whether the speaker had finished."""

    WINDOW = "window"
    UTTERANCE = "utterance"


class Cut(StrEnum):
    """Why an utterance was closed."""

    SILENCE = "silence"
    TOO_LONG = "too_long"
    GAP = "gap"
    END = "end"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Speech from its onset until now (window) or until its close (utterance)."""

    kind: SegmentKind

    pcm: Pcm
    """Pre-roll, speech and, in an utterance, the silence that closed it, shape (n,)."""

    start: int
    """Position of ``pcm[0]`` (samples); the same for all segments of one utterance."""

    onset: int
    """Position of the first speech sample (samples)."""

    end: int
    """Position just after the last speech sample (samples)."""

    heard_at: float
    """Wall time of ``onset`` (s)."""

    floor_db: float
    """Noise floor of the source when speech began (dB re full scale)."""

    cut: Cut | None = None
    """Why it was closed; None for a window."""

    clock_moved: float = 0.0
    """What the wall clock gained on the samples from ``onset`` to ``end``: it was set, or drifts (s)."""

    def __post_init__(self) -> None:
        self.pcm.flags.writeable = False

    @property
    def ended_at(self) -> float:
        """Wall time of the end of speech, never later than it arrived (s)."""
        return self.heard_at + (self.end - self.onset) / RATE + self.clock_moved


@dataclass(frozen=True, slots=True, eq=False)
class PitchTrack:
    """Fundamental frequency on an even grid."""

    f0: NDArray[np.float64]
    """Estimate for each pitch frame, also where unvoiced (Hz), shape (n,)."""

    voicing: NDArray[np.float64]
    """Score from 0 to 1; voiced from 0.5 on, shape (n,)."""


NEAR = "near"
"""The word for a cue that stays within one calm standard deviation."""

_DEGREES = ((2.0, "somewhat "), (3.5, "well "), (math.inf, "far "))
"""Bound of |z| and the degree under it."""

LEVELS = (NEAR, *(degree + side for side in ("above", "below") for _, degree in _DEGREES))
"""Every word of a cue."""


def level_word(z: float) -> str:
    """Say a distance from calm, in calm standard deviations."""
    if abs(z) < 1.0:
        return NEAR
    degree = next(degree for bound, degree in _DEGREES if abs(z) < bound)
    return degree + ("above" if z > 0 else "below")


@dataclass(frozen=True, slots=True)
class Cue:
    """One measured cue, relative to the calm voice of this source."""

    # Documents have it as it is: what follows is their JSON schema, too.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    """A name of :mod:`vser_stream.core.scoring.descriptors`."""

    value: float
    """In ``unit``."""

    unit: str

    baseline: float = field(metadata={"description": "calm value of the same cue, in unit"})
    """In ``unit``."""

    z: float = field(metadata={"description": "distance from the baseline in calm standard deviations"})
    """Distance from the baseline (calm standard deviations)."""

    confidence: float = field(
        default=1.0, metadata={"description": "how far z can be trusted", "ge": 0, "le": 1}
    )
    """From 0 to 1: less for a short utterance or a young baseline."""

    @property
    def word(self) -> str:
        """The level in words, such as ``"far above"``."""
        return level_word(self.z)


class DecidedBy(StrEnum):
    """Which stage had the last word."""

    SVM = "svm"
    LLM = "llm"
    FALLBACK = "fallback"


class RationaleBy(StrEnum):
    """Who put the reasons into words."""

    EVIDENCE = "evidence"
    """Code, from the measured cues."""

    REASONER = "reasoner"
    """The reasoner; every claim was checked against the evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """A judged segment: what it sounds like, how sure, and why."""

    segment: Segment
    label: Label
    probabilities: Probabilities
    escalated: bool
    """The router found it ambiguous."""

    decided_by: DecidedBy
    rationale: str
    evidence: tuple[Cue, ...]
    rules: tuple[str, ...] = ()
    """Ids of the human rules that were used."""

    rationale_by: RationaleBy = RationaleBy.EVIDENCE

    second: Probabilities | None = None
    """A second opinion, where the model has one: of the second look, or else on the same features."""

    look: Probabilities | None = None
    """What the second look said of the sound itself, where it was asked and answered in time."""

    rows: NDArray[np.float32] | None = None
    """What the SVM was given, shape (1 or 2, n_inputs)."""

    scored: Probabilities | None = None
    """What it made of it, before anybody else was heard."""

    @property
    def confidence(self) -> float:
        """Calibrated probability of the label."""
        return self.probabilities.of(self.label)


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A human rule whose conditions hold for an utterance."""

    id: str
    label: Label
    """What it speaks for."""

    weight: float
    """How strongly, from 0 to 1."""

    cues: tuple[str, ...]
    """Names of the cues its conditions rest on."""


@dataclass(frozen=True, slots=True)
class Case:
    """All a reasoner is told of one ambiguous utterance: figures, never audio."""

    probabilities: Probabilities
    """Of the SVM, and of the second look where it was asked."""

    second: Probabilities | None
    """A second opinion, where the model has one."""

    cues: tuple[Cue, ...]
    fired: tuple[FiredRule, ...]
    """Strongest first."""

    recent: tuple[Label, ...]
    """What the latest utterances of this source sounded like, oldest first."""

    snr_db: float
    """Level of the speech over the noise floor (dB)."""


class MessageKind(StrEnum):
    """What a message is: the last level of its topic, and the middle of its schema."""

    ALERT = "alert"
    UTTERANCE = "utterance"
    STATE = "state"
    HEALTH = "health"
    STATUS = "status"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about, so that nobody has to read its payload to know."""

    kind: MessageKind
    site: str
    source: str | None = None
    """None where it is about the whole site."""

    event: str | None = None
    """What became of an alarm condition."""

    alert_id: str | None = None
    """Of that condition."""

    made_at: float | None = None
    """Wall time at which the document was made (s)."""

    ended_at: float | None = None
    """Wall time of the end of the speech it tells of (s)."""


class Urgency(IntEnum):
    """Which message is sent first."""

    ROUTINE = 0
    CURRENT = 1
    """What is so now, such as a state."""

    ALARM = 2
    """From here on: never evicted, and no pause between two connections is long."""

    PANIC = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT publication."""

    topic: str
    payload: bytes
    qos: int
    retain: bool

    id: str
    """Unique; consumers deduplicate by it."""

    priority: int = Urgency.ROUTINE
    """Higher is sent first: an :class:`Urgency`, or what another release made of it."""

    expires_at: float | None = None
    """Wall time after which it is worthless (s); None for never."""

    about: About | None = None
    """None where it is in the words of others, or empty."""

    @property
    def is_alarm(self) -> bool:
        """Whether somebody must be told at once."""
        return self.priority >= Urgency.ALARM


@dataclass(frozen=True, slots=True)
class Memory:
    """What a source must know after a restart; the latest one counts."""

    source: str
    document: bytes
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a decision rested on, for whoever asks later: statistics, never audio."""

    source: str
    document: bytes
    """Canonical JSON."""
