"""What the bundled reasoner reads: a closed vocabulary, in which every figure is one token.

Its words for cues are those it was trained on (:data:`CUE_WORDS`). They may differ from what people read:
a cue can get a better name without a new model.

Nothing that people wrote enters it: rules are numbered in the order they fired, with the label they
speak for and their weight beside the number, and what they weigh together is told as well: a model
this small reads figures well and adds them up badly. So a rule acts through what it says and not
through how it is worded, and no rule text or source name can give the model an order.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from vser_stream.core.reason.language import TONGUES, Language, figure, signed
from vser_stream.core.reason.writer import citable, kind_of
from vser_stream.core.scoring.descriptors import DESCRIPTORS, FORMER_NAMES
from vser_stream.values import LABELS, LEVELS, Case, Cue, FiredRule, Label, Probabilities

__all__ = [
    "BECAUSE",
    "CUE_WORDS",
    "FARTHEST",
    "LABEL_WORDS",
    "MOST_RULES",
    "PREFIX",
    "RULE_GAIN",
    "TOKENS",
    "digest",
    "evidence",
    "finish",
    "grounds",
    "is_explainable",
    "opening",
    "pull",
    "rules_for",
    "tenths",
]

PREFIX: Final = "evidence"
"""What every prompt starts with, after the token that begins a text."""

LABEL_WORDS: Final[Mapping[Label, str]] = {label: f" {label.value}" for label in LABELS}
"""One token each; the logits of these after the evidence are the belief of the model."""

BECAUSE: Final[Mapping[Language, str]] = {Language.EN: "\nbecause", Language.VI: "\nvì"}
"""Ends the opening of a rationale and says its language."""

_ENGLISH: Final = {descriptor.name: descriptor.name for descriptor in DESCRIPTORS} | {
    name: former for former, name in FORMER_NAMES.items()
}

CUE_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.EN: _ENGLISH,
    Language.VI: {
        **TONGUES[Language.VI].cues,
        "share of rising pitch": "tỷ lệ lên giọng",
        "rate of pitch change": "tốc độ đổi cao độ",
        "jitter": "độ rung giọng",
        "intensity": "độ to",
        "intensity trend": "xu hướng độ to",
        "rate of intensity change": "tốc độ đổi cường độ",
        "shimmer": "độ dao động biên độ",
    },
}
"""The shipped model's word for each cue, by the cue's name; only a new model may change it."""

RULE_GAIN: Final = 1.5
"""Log odds a rule of weight 1 adds to its label, which the model is taught.

Rules for the same label add less and less, as people's rules overlap, and a rule on uncertain cues
little (see :func:`pull`). Measured on unheard speakers: plain sums cost the hybrid 0.01 of macro-F1;
this costs nothing once a voice was heard calm, and 0.007 for a stranger's. Weights fitted to the
corpus do no better than those of the book.
"""

FARTHEST: Final = 6.0
"""Farthest distance from calm that the prompt says, as core.baseline has it (calm standard deviations)."""

MOST_RULES: Final = 6
"""Fired rules in the prompt, strongest first."""

_MOST_GROUNDS = 5
_FEWEST_KINDS = 2
_TENTHS = round(FARTHEST * 10)

_SECTIONS = ("\nsvm", "\nsecond", "\ncues", "\nrules", "\ntogether", "\nverdict:", " for")
_NUMBERS = tuple(f" #{number}" for number in range(1, MOST_RULES + 1))

TOKENS: Final[tuple[str, ...]] = (
    PREFIX,
    *_SECTIONS,
    *LABEL_WORDS.values(),
    *BECAUSE.values(),
    *_NUMBERS,
    *(f" {percent}%" for percent in range(101)),
    *(f" {tenth / 10:+.1f}" for tenth in range(-_TENTHS, _TENTHS + 1)),
    *dict.fromkeys(f" {words[d.name]}" for words in CUE_WORDS.values() for d in DESCRIPTORS),
    *dict.fromkeys(f" {tongue.levels[word]}" for tongue in TONGUES.values() for word in LEVELS),
)
"""Texts that must be one token of the model each."""


def tenths(z: float) -> str:
    """Show a distance from calm as the one token it is."""
    shown = f" {max(-FARTHEST, min(FARTHEST, z)):+.1f}"
    return shown.replace("-0.0", "+0.0")


def evidence(case: Case) -> str:
    """Tell all that bears on the label; ends where the label word follows."""
    return "".join(_evidence(case))


def _evidence(case: Case) -> Iterator[str]:
    yield f"\nsvm{_belief(case.probabilities)}"
    if case.second:
        yield f"\nsecond{_belief(case.second)}"
    if case.cues:
        yield "\ncues" + "".join(f" {_ENGLISH[cue.name]}{tenths(cue.z)}" for cue in case.cues)
    if case.fired:
        told = zip(_NUMBERS, case.fired, strict=False)
        yield "\nrules" + "".join(
            f"{number}{LABEL_WORDS[rule.label]} {_weight(rule, case):.0%}" for number, rule in told
        )
        yield "\ntogether" + "".join(f"{word} {pull(case, label):.0%}" for label, word in LABEL_WORDS.items())
    yield "\nverdict:"


def _belief(belief: Probabilities) -> str:
    return "".join(f"{word} {belief.of(label):.0%}" for label, word in LABEL_WORDS.items())


def grounds(case: Case, label: Label) -> tuple[Cue, ...]:
    """Cues a rationale for ``label`` may cite: the most telling, the most telling of another kind, others."""
    cues = citable(case, label)
    other = next((cue for cue in cues if kind_of(cue) is not kind_of(cues[0])), None)
    if other is None:
        return cues[:_MOST_GROUNDS]
    return (cues[0], other, *(cue for cue in cues[1:] if cue is not other))[:_MOST_GROUNDS]


def is_explainable(case: Case, label: Label) -> bool:
    """Whether the grounds are of two kinds: less is no rationale."""
    return len({kind_of(cue) for cue in grounds(case, label)}) >= _FEWEST_KINDS


def rules_for(case: Case, label: Label) -> tuple[str, ...]:
    """Numbers of the told rules that speak for ``label``."""
    told = zip(_NUMBERS, case.fired, strict=False)
    return tuple(number for number, rule in told if rule.label is label)


def pull(case: Case, label: Label) -> float:
    """How strongly the fired rules speak for a label together, from 0 to 1."""
    told = (rule for rule in case.fired[:MOST_RULES] if rule.label is label)
    return 1.0 - math.prod(1.0 - _weight(rule, case) for rule in told)


def _weight(rule: FiredRule, case: Case) -> float:
    """Weight of a rule, as far as the least certain of its cues can be trusted."""
    trust = {cue.name: cue.confidence for cue in case.cues}
    return rule.weight * min((trust[name] for name in rule.cues if name in trust), default=1.0)


def opening(case: Case, label: Label, language: Language) -> str:
    """Continue the evidence with a verdict and its grounds; the rationale follows."""
    cited = "".join(f" {_ENGLISH[cue.name]}{tenths(cue.z)} {cue.word}" for cue in grounds(case, label))
    return f"{LABEL_WORDS[label]} for{cited}{''.join(rules_for(case, label))}{BECAUSE[language]}"


def finish(text: str, case: Case, language: Language) -> str:
    """Turn what the model wrote into what people read: rules by their ids, figures with their units.

    Only a figure that is the cue's own gets the measured value beside it; any other stays as it is.
    """
    tongue = TONGUES[language]
    for number, rule in zip(_NUMBERS, case.fired, strict=False):
        text = text.replace(number, f" {rule.id}")
    words = CUE_WORDS[language]
    shown = {f" {words[name]}": f" {tongue.cues[name]}" for name in words}
    for cue in case.cues:
        word = f" {words[cue.name]}"
        shown[f"{word}{tenths(cue.z)}"] = (
            f"{shown[word]} {figure(cue.value, tongue)} {tongue.units[cue.unit]} ({signed(cue.z, tongue)} SD)"
        )
    # The longest first, and each place once: one name may end in another.
    claims = "|".join(re.escape(claim) for claim in sorted(shown, key=len, reverse=True))
    text = re.sub(rf"(?:{claims})(?!\w)", lambda match: shown[match[0]], text).strip()
    return text[:1].upper() + text[1:]


def digest() -> str:
    """SHA-256 of the vocabulary and the layout: a model answers no other prompt than its own."""
    label = Label.ANGRY
    layout = Case(
        probabilities=Probabilities(0.2, 0.5, 0.3),
        second=Probabilities(0.1, 0.6, 0.3),
        cues=tuple(Cue(one.name, value=0.0, unit=one.unit, baseline=0.0, z=2.5) for one in DESCRIPTORS),
        fired=(FiredRule("one-rule", label, 0.5, ()),),
        recent=(),
        snr_db=20.0,
    )
    text = "\0".join([*TOKENS, PREFIX, evidence(layout), opening(layout, label, Language.EN), f"{RULE_GAIN}"])
    return hashlib.sha256(text.encode()).hexdigest()
