"""What the calm voice of a source sounds like.

Emotion is a departure from a person's own calm voice, and the same features measured from there
are the largest single gain in accuracy. A baseline starts as the population's, and moves to the
speaker's with each calm utterance: feature by feature as fast as people differ in it, compared
with how much one calm person varies (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from vser_stream.core.features.functionals import ABSOLUTE, FEATURES, GATES
from vser_stream.core.scoring.loudness import LOUDNESS, UNKNOWN
from vser_stream.values import Label, Probabilities, Vector

__all__ = ["LEARNING", "MODEL_INPUT", "Baseline", "Prior", "is_calm_enough", "model_input", "model_inputs"]

LEARNING: Final = 1
"""Version of what a baseline learns from, and how fast: manifests say with which the figures were measured.

A saved baseline is of the same features whatever the version, and goes on from where it is.
"""

_CALM_FROM = 0.6
"""Calibrated probability from which an utterance may move the baseline (measured, see the model card)."""

_MEMORY = 40.0
"""Utterances a baseline remembers: it follows a voice that ages or a microphone that is moved."""

_SCALE_WEIGHT = 8.0
"""Utterances the population's spread is worth: spread is learned more slowly than location."""

_CLIP = 3.0
"""Predictive standard deviations beyond which an utterance pulls no harder."""

_FARTHEST = 6.0
"""Distance from calm beyond which farther does not matter (calm standard deviations)."""

_SETTLED = 8.0
"""Utterances after which the model treats a baseline as known."""

_LARGEST = 1e9
"""No feature comes near, in whatever unit."""

_ANCHOR = "anchor_"
"""Of the names under which an anchor is stored."""

_JUDGED = tuple(name for name in FEATURES if name not in {*ABSOLUTE, *GATES})
_COLUMNS = np.array([FEATURES.index(name) for name in _JUDGED])

MODEL_INPUT: Final = (*_JUDGED, *(f"{name}_from_calm" for name in _JUDGED), "baseline_known", *LOUDNESS)
"""Names of the model's inputs, in their order.

Absolute levels stay out, relative to calm too: measured, they add nothing on known recordings. Levels among
what the source hears (:mod:`vser_stream.core.scoring.loudness`) tell who is near.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Calm speech in the population; one entry for each feature, shape (n_features,)."""

    location: Vector
    """Mean over speakers."""

    scale: Vector
    """Standard deviation of the calm utterances of one speaker."""

    weight: Vector
    """Utterances the mean is worth: variance within a speaker over that between speakers."""

    def to_lists(self) -> dict[str, list[float]]:
        """Plain numbers, for storage."""
        return {name: getattr(self, name).tolist() for name in ("location", "scale", "weight")}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Sequence[float]]) -> Self:
        """Restore what :meth:`to_lists` gave."""
        return cls(**{name: np.asarray(lists[name], np.float32) for name in ("location", "scale", "weight")})


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """Running statistics of one source's calm utterances: never audio, never a single utterance."""

    weight: Vector
    """As in :class:`Prior`."""

    location: Vector
    scale: Vector
    count: float = 0.0
    """Calm utterances it has seen, up to its memory (utterances)."""

    anchor: Baseline | None = None
    """Where it started: the population's, or what was enrolled; None if it has not moved since.

    What an agent learns from its own decisions may be somebody else's voice. Judged from both places,
    two people in turn and one who is only ever calm lose nothing against an agent that never learns.
    """

    @classmethod
    def from_prior(cls, prior: Prior) -> Self:
        """The population's baseline."""
        return cls(weight=prior.weight, location=prior.location, scale=prior.scale)

    def updated(self, vector: Vector) -> Baseline:
        """Return the baseline after one more calm utterance.

        A surprising utterance is clipped at three predictive standard deviations, so one wrong
        decision cannot carry it away.
        """
        known = self.weight + self.count
        surprise = self.scale * np.sqrt(1.0 + 1.0 / known)
        step = np.clip(vector - self.location, -_CLIP * surprise, _CLIP * surprise)
        spread = _SCALE_WEIGHT + self.count
        variance = (self.scale**2 * spread + step**2 * known / (known + 1.0)) / (spread + 1.0)
        return Baseline(
            weight=self.weight,
            location=np.asarray(self.location + step / (known + 1.0), np.float32),
            scale=np.asarray(np.sqrt(variance), np.float32),
            count=min(self.count + 1.0, _MEMORY),
            anchor=self.anchor or self,
        )

    def enrolled(self) -> Baseline:
        """The same, known to be right: what is learned from now on is measured from here, too."""
        return replace(self, anchor=None)

    def relative(self, vector: Vector) -> Vector:
        """Distance from calm (calm standard deviations), shape (n_features,)."""
        distance = np.clip((vector - self.location) / self.scale, -_FARTHEST, _FARTHEST)
        return np.asarray(distance, np.float32)

    def to_lists(self) -> dict[str, list[float]]:
        """Plain numbers, for storage."""
        lists = {
            "weight": self.weight.tolist(),
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "count": [self.count],
        }
        anchor = self.anchor.to_lists() if self.anchor else {}
        return lists | {f"{_ANCHOR}{name}": values for name, values in anchor.items()}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Sequence[float]]) -> Self:
        """Restore what :meth:`to_lists` gave.

        Raises:
            ValueError, KeyError, TypeError: It is something else: with one number that is none, nobody
                would be heard.
        """
        weight, location, scale = (_read(lists[name]) for name in ("weight", "location", "scale"))
        if not (weight > 0.0).all() or not (scale > 0.0).all():
            raise ValueError("a baseline varies, and is worth some utterances")
        (count,) = lists["count"]
        if not 0.0 <= count <= _MEMORY:
            raise ValueError(f"a baseline has heard up to {_MEMORY:g} utterances, not {count}")
        anchor = {
            name.removeprefix(_ANCHOR): values for name, values in lists.items() if name.startswith(_ANCHOR)
        }
        return cls(
            weight=weight,
            location=location,
            scale=scale,
            count=float(count),
            anchor=cls.from_lists(anchor) if anchor else None,
        )


def _read(numbers: Sequence[float]) -> Vector:
    """One number for each feature.

    Raises:
        ValueError, TypeError: It is something else.
    """
    values = np.asarray(numbers, np.float64)
    if values.shape != (len(FEATURES),) or not (np.abs(values) < _LARGEST).all():
        raise ValueError(f"not a number for each of {len(FEATURES)} features")
    return values.astype(np.float32)


def model_inputs(vector: Vector, baseline: Baseline, loudness: Vector = UNKNOWN) -> tuple[Vector, ...]:
    """Return the rows whose mean decides: from the baseline, and from its anchor if it has one."""
    anchors = (baseline.anchor,) if baseline.anchor else ()
    return tuple(model_input(vector, start, loudness) for start in (baseline, *anchors))


def model_input(vector: Vector, baseline: Baseline, loudness: Vector = UNKNOWN) -> Vector:
    """Return the model's row: features as they are, relative to calm, how well calm is known, loudness."""
    known = min(baseline.count, _SETTLED) / _SETTLED
    return np.concatenate([vector[_COLUMNS], baseline.relative(vector)[_COLUMNS], [known], loudness]).astype(
        np.float32
    )


def is_calm_enough(probabilities: Probabilities) -> bool:
    """Whether the live agent may learn calm from an utterance it judged so: laughter is no calm voice."""
    return probabilities.top is Label.CALM and probabilities.calm_voice >= _CALM_FROM
