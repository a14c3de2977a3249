"""Examples without end for the bundled reasoner: real evidence, jittered, mixed, under drawn rule books.

Only what fires is told to the model, so a drawn rule book is a drawn set of fired rules: some of the
real ones, others removed, moved to another label, weighed anew, and new ones about present cues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import FARTHEST, MOST_RULES, is_explainable
from vser_stream.training.reasoner.rationales import teacher_rationale
from vser_stream.training.reasoner.teacher import KNOWS_NOTHING, Teacher
from vser_stream.values import LABELS, Case, Cue, FiredRule, Label, Probabilities

__all__ = ["Example", "draw_case", "draw_example"]

_T = TypeVar("_T")

_LANGUAGES = tuple(Language)

_UNASKED = 0.1
"""Share of examples without any opinion: the cues and the rules alone decide."""

_NO_SECOND = 0.1
_FOREIGN_CUES = 0.3
"""Share of examples with the cues of another clip: opinions and cues may disagree."""

_FEWER_CUES = 0.2
_INVENTED_BELIEF = 0.3
_JITTER = 0.4
"""Standard deviation of what is added to log odds and distances from calm."""

_REAL_BOOK = 0.6
_NEW = ("drawn-first", "drawn-second")
_SILENT = 0.4
"""Share of examples without a rationale: they are short, and the belief wants more books than words do."""

_UNLIKELY_LABEL = 0.15
"""Share of rationales for a label drawn at random instead of the believed one."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What the model learns from at once."""

    case: Case
    belief: tuple[float, ...]
    """Probabilities it should give, in the order of ``LABELS``."""

    label: Label
    """Verdict the rationale is for."""

    language: Language
    rationale: str | None
    """None where the belief alone is taught, or the cues are of one kind."""


def draw_example(cases: Sequence[Case], teacher: Teacher, rng: np.random.Generator) -> Example:
    """Draw a case and teach it: belief, verdict and rationale."""
    case = draw_case(cases, rng)
    belief = teacher.belief(case)
    if rng.random() < _UNLIKELY_LABEL:
        label = LABELS[int(rng.integers(len(LABELS)))]
    else:
        label = LABELS[int(rng.choice(len(LABELS), p=belief))]
    language = _LANGUAGES[int(rng.integers(len(_LANGUAGES)))]
    explained = rng.random() >= _SILENT and is_explainable(case, label)
    rationale = teacher_rationale(case, label, language, rng) if explained else None
    return Example(case, tuple(belief.tolist()), label, language, rationale)


def draw_case(cases: Sequence[Case], rng: np.random.Generator) -> Case:
    """Draw a case like the real ones, under a rule book like no other."""
    opinions, voice = _one_of(cases, rng), _one_of(cases, rng)
    cues = (voice if rng.random() < _FOREIGN_CUES else opinions).cues
    cues = tuple(_jittered(cue, rng) for cue in cues)
    if rng.random() < _FEWER_CUES:
        cues = tuple(cue for cue in cues if rng.random() < 0.6) or cues  # noqa: PLR2004 - more than half
    svm = _belief(opinions.probabilities, rng)
    second: Probabilities | None = _belief(opinions.second or KNOWS_NOTHING, rng)
    asked = rng.random()
    if asked < _UNASKED:
        svm, second = KNOWS_NOTHING, None
    elif asked < _UNASKED + _NO_SECOND:
        second = None
    fired = _drawn_rules(opinions.fired, cues, rng)
    return replace(opinions, probabilities=svm, second=second, cues=cues, fired=fired)


def _jittered(cue: Cue, rng: np.random.Generator) -> Cue:
    z = round(float(np.clip(cue.z + rng.normal(0.0, _JITTER), -FARTHEST, FARTHEST)), 2)
    return replace(cue, z=z)


def _belief(given: Probabilities, rng: np.random.Generator) -> Probabilities:
    if rng.random() < _INVENTED_BELIEF:
        drawn = rng.dirichlet(np.ones(len(LABELS)))
    else:
        odds = np.log(np.maximum([given.of(label) for label in LABELS], 1e-3))
        drawn = np.exp(odds + rng.normal(0.0, _JITTER, len(LABELS)))
    return Probabilities(*(drawn / drawn.sum()).tolist())


def _drawn_rules(
    real: Sequence[FiredRule], cues: Sequence[Cue], rng: np.random.Generator
) -> tuple[FiredRule, ...]:
    rules = list[FiredRule]()
    if rng.random() < _REAL_BOOK:
        told = {cue.name for cue in cues}
        kept = [rule for rule in real if told.issuperset(rule.cues) and rng.random() > 1 / 3]
        rules += [rule if rng.random() > 1 / 3 else _reworked(rule, rng) for rule in kept]
    for rule_id in _NEW[: int(rng.integers(3))]:
        names = tuple(_one_of(cues, rng).name for _ in range(int(rng.integers(1, 4))))
        label = LABELS[int(rng.integers(len(LABELS)))]
        weight = float(rng.integers(10, 101)) / 100
        rules.append(FiredRule(rule_id, label, weight, tuple(dict.fromkeys(names))))
    rules.sort(key=lambda rule: (-rule.weight, -len(rule.cues)))
    return tuple(rules[:MOST_RULES])


def _reworked(rule: FiredRule, rng: np.random.Generator) -> FiredRule:
    label = LABELS[int(rng.integers(len(LABELS)))]
    return replace(rule, label=label, weight=float(rng.integers(10, 101)) / 100)


def _one_of(items: Sequence[_T], rng: np.random.Generator) -> _T:
    return items[int(rng.integers(len(items)))]
