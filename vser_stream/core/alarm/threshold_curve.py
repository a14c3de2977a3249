"""Which thresholds a number of false alarms a day asks for.

A model is tried in homes of people it has not learned from, at one threshold after the other. What came of
that goes with the model, as a curve for each alarm level: so many false alarms a day at so much distress.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vser_stream.config.schema import AlarmConfig, LevelConfig
from vser_stream.core.alarm.cusum import rules_of
from vser_stream.values import Label

__all__ = ["Curve", "Curves", "as_asked", "following", "is_set"]

_Rate = Annotated[float, Field(gt=0.0, le=1e5, allow_inf_nan=False)]
_Distress = Annotated[float, Field(ge=0.1, le=1000.0)]
_Fast = Annotated[float, Field(ge=0.5, lt=1.0)]

_FEWEST = 2
"""Points of a curve."""


class Curve(BaseModel):
    """Thresholds of one alarm level, from the most sensitive on, and what each costs.

    Between two points the logarithm of the rate falls evenly with distress, as the tail of a sum that
    drifts down does (Siegmund, 1985, "Sequential analysis": run length of CUSUM). Beyond its ends nobody
    has measured, so they are the most and the least that is ever asked for.
    """

    model_config = ConfigDict(frozen=True)

    per_day: tuple[_Rate, ...] = Field(min_length=_FEWEST, description="false alarms (1/d)")
    distress: tuple[_Distress, ...] = Field(description="at which there were so many")
    fast: tuple[_Fast, ...] | None = Field(
        None, description="probability at which one utterance was enough then; None: as configured"
    )

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        if any(len(row) != len(self.per_day) for row in (self.distress, self.fast or self.per_day)):
            raise ValueError("per_day, distress and fast must be of one length")
        if not all(fewer < more for more, fewer in pairwise(self.per_day)):
            raise ValueError("per_day must fall from point to point")
        if not all(low < high for low, high in pairwise(self.distress)):
            raise ValueError("distress must rise from point to point")
        if self.fast and not all(low <= high for low, high in pairwise(self.fast)):
            raise ValueError("fast must not fall from point to point")
        return self

    def distress_for(self, per_day: float) -> float:
        """Distress from which there are so many false alarms a day; never less for fewer of them."""
        return self._for(per_day, self.distress)

    def fast_for(self, per_day: float) -> float | None:
        """The probability that goes with it, None where that is as configured."""
        if self.fast is None:
            return None
        odds = self._for(per_day, [math.log(share / (1.0 - share)) for share in self.fast])
        return 1.0 / (1.0 + math.exp(-odds))

    def per_day_at(self, distress: float) -> float:
        """False alarms a day where so much distress is asked for (1/d)."""
        return float(np.exp(np.interp(distress, self.distress, np.log(self.per_day))))

    def _for(self, per_day: float, values: Sequence[float]) -> float:
        return float(np.interp(-math.log(per_day), -np.log(self.per_day), values))


Curves = Mapping[Label, Curve]
"""Of the levels that have one."""


def as_asked(config: AlarmConfig, curves: Curves) -> AlarmConfig:
    """The configuration with the thresholds that its false alarms a day ask for.

    What somebody wrote into the file themselves stays, and so does all where a model has no curve.
    Of anger no less is asked for than of panic: what makes an alarm is called what it sounds of, so false
    alarms of panic would come by that way.
    """
    levels = {
        level: _asked(rules_of(level, config), curve, config.false_alarms_per_day)
        for level, curve in curves.items()
    }
    if len(following(config, curves)) > 1:
        least = levels[Label.PANIC].distress
        angry = levels[Label.ANGRY]
        levels[Label.ANGRY] = angry.model_copy(update={"distress": max(least, angry.distress)})
    return config.model_copy(update={level.value: rules for level, rules in levels.items()})


def following(config: AlarmConfig, curves: Curves) -> Curves:
    """The curves that set a threshold: not those of a level whose distress stands in the file."""
    return {level: curve for level, curve in curves.items() if not is_set(rules_of(level, config))}


def is_set(rules: LevelConfig) -> bool:
    """Whether somebody wrote the distress of a level into the file."""
    return "distress" in rules.model_fields_set


def _asked(rules: LevelConfig, curve: Curve, per_day: float) -> LevelConfig:
    thresholds: dict[str, Any] = {"distress": curve.distress_for(per_day), "fast": curve.fast_for(per_day)}
    return rules.model_copy(
        update={
            name: value
            for name, value in thresholds.items()
            if value is not None and name not in rules.model_fields_set
        }
    )
