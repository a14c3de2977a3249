"""Human rules: what a listener has learned to hear, as conditions on named cues.

Their texts reach a language model as data. They are short, have no quotes, braces or control
characters, never name a label, and never tell the reader what to do.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from vser_stream.core.reason.language import LABEL_WORDS, Language, nfc
from vser_stream.core.scoring.descriptors import FORMER_NAMES, KNOWN
from vser_stream.values import LEVELS, Cue, FiredRule, Label

__all__ = ["NO_RULES", "TRUSTED_FROM", "Condition", "Rule", "RuleBook", "Seen", "Texts", "nearest"]

TRUSTED_FROM = 0.4
"""Confidence of a cue under which no rule may rest on it.

Before the source was heard calm, that silences the cues in which people differ most; and all of
them for less than 0.15 s of voice.
"""

LONGEST_TEXT = 160
"""Room for one sentence (characters)."""

_FORBIDDEN = re.compile(r"[^\w .,;:()%+/≥≤-]")
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|instructions?|prompt|system|assistant|user|respond|reply|output|"
    r"answer|always|you|your|https?|"
    r"bỏ qua|phớt lờ|chỉ thị|hãy|luôn luôn|trả lời|trợ lý|hệ thống|người dùng)\b",
    re.IGNORECASE,
)


def nearest(name: str, known: Iterable[str]) -> str:
    """Say what somebody may have meant."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"


def _cue(name: str) -> str:
    name = FORMER_NAMES.get(name, name)
    if name not in KNOWN:
        raise ValueError(f"unknown cue {name!r}; {nearest(name, KNOWN)}")
    return name


def _level(word: str) -> str:
    if word not in LEVELS:
        raise ValueError(f"unknown level {word!r}; {nearest(word, LEVELS)}")
    return word


def _plain(text: str) -> str:
    if bad := _FORBIDDEN.search(text):
        raise ValueError(f"character {bad[0]!r} is not allowed; write one plain sentence")
    return nfc(text)


def _data(text: str) -> str:
    if said := LABEL_WORDS.search(text):
        raise ValueError(f"names a label ({said[0]!r}); say what is heard, not what it means")
    if said := _ORDERS.search(text):
        raise ValueError(f"reads like an instruction ({said[0]!r}); say what is heard")
    return text


Text = Annotated[
    str, Field(min_length=8, max_length=LONGEST_TEXT), AfterValidator(_plain), AfterValidator(_data)
]
"""A sentence without anything a reader could take for an instruction or a delimiter."""

Reference = Annotated[str, Field(min_length=8, max_length=240), AfterValidator(_plain)]
CueName = Annotated[str, AfterValidator(_cue)]
LevelWord = Annotated[str, AfterValidator(_level)]
Figure = Annotated[float, Field(allow_inf_nan=False)]


class Entry(BaseModel):
    """A table of the file: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Entry):
    """What must hold of one cue; limits are inclusive."""

    cue: CueName
    z_at_least: Figure | None = Field(None, description="calm standard deviations")
    z_at_most: Figure | None = None
    value_at_least: Figure | None = Field(None, description="in the unit of the cue")
    value_at_most: Figure | None = None
    words: tuple[LevelWord, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"cue"}:
            raise ValueError(
                "has no limit; give z_at_least, z_at_most, value_at_least, value_at_most or words"
            )
        return self

    def holds(self, cue: Cue) -> bool:
        """Whether a measured cue meets every limit."""
        return (
            _within(cue.z, self.z_at_least, self.z_at_most)
            and _within(cue.value, self.value_at_least, self.value_at_most)
            and (not self.words or cue.word in self.words)
        )


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


class Seen(Entry):
    """One cue of an example."""

    cue: CueName
    z: Figure
    value: Figure = 0.0


class Texts(Entry):
    """The rule in words, in each language."""

    en: Text
    vi: Text


class Rule(Entry):
    """One thing a listener goes by."""

    id: str = Field(pattern=r"^[a-z]+(-[a-z]+){1,4}$", max_length=40)
    label: Label = Field(description="what it speaks for")
    weight: float = Field(ge=0.1, le=1, description="how strongly")
    text: Texts
    when: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=6)]
    least: int | None = Field(None, ge=1, description="how many of when must hold; default: all")
    against: Label | None = Field(None, description="what it is most easily confused with")
    source: Reference
    date: dt.date
    fires: Annotated[tuple[Seen, ...], Field(min_length=1)] = Field(description="an example it fires on")
    silent: Annotated[tuple[Seen, ...], Field(min_length=1)] = Field(description="one it does not")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.least is not None and self.least > len(self.when):
            raise ValueError(f"least = {self.least} can never be reached with {len(self.when)} conditions")
        if self.against is self.label:
            raise ValueError(f"against is its own label {self.label.value!r}; name the other one")
        _data(self.id.replace("-", " "))
        return self

    @property
    def cues(self) -> tuple[str, ...]:
        """Names of the cues it listens to, each once."""
        return tuple(dict.fromkeys(one.cue for one in self.when))

    def met(self, cues: Sequence[Cue]) -> tuple[Condition, ...]:
        """Conditions that hold of trusted cues."""
        trusted = {cue.name: cue for cue in cues if cue.confidence >= TRUSTED_FROM}
        return tuple(one for one in self.when if one.cue in trusted and one.holds(trusted[one.cue]))

    def fired(self, cues: Sequence[Cue]) -> FiredRule | None:
        """Return what it says of these cues, if enough of its conditions hold."""
        met = self.met(cues)
        if len(met) < (self.least or len(self.when)):
            return None
        names = tuple(dict.fromkeys(one.cue for one in met))
        return FiredRule(id=self.id, label=self.label, weight=self.weight, cues=names)


class RuleBook(Entry):
    """Rules of one author; what is told to a reasoner is told from here."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    author: Reference
    rules: tuple[Rule, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the content in canonical form: comments and layout do not count."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def fired(self, cues: Sequence[Cue]) -> tuple[FiredRule, ...]:
        """Return the rules whose conditions hold, strongest first."""
        fired = [one for rule in self.rules if (one := rule.fired(cues))]
        return tuple(sorted(fired, key=lambda one: (-one.weight, -len(one.cues))))

    def rule(self, rule_id: str) -> Rule:
        """Return one rule.

        Raises:
            KeyError: There is none of that id.
        """
        return {rule.id: rule for rule in self.rules}[rule_id]

    def text(self, rule_id: str, language: Language) -> str:
        """Return what one rule says."""
        texts = self.rule(rule_id).text
        return texts.vi if language is Language.VI else texts.en


NO_RULES = RuleBook(name="none", version="0.0.0", author="nobody wrote it", rules=())
"""A book without rules."""
