"""A rationale written from the measured cues by code: no model, no invention, and always true.

It is conditioned on the label but says why instead of naming it (Su et al. 2025, section 2.1): the
cues that speak for it, of two kinds at least, and the rules they fire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vser_stream.core.reason.case import case_of, ids_for, speaks_against, speaks_for
from vser_stream.core.reason.language import TONGUES, Language, figure, signed
from vser_stream.core.reason.rules import NO_RULES, RuleBook
from vser_stream.core.scoring.descriptors import KNOWN, OVER_FLOOR, Kind
from vser_stream.values import Case, Cue, Decision, Label

__all__ = ["RULE_WORDS", "Writer", "chosen_cues", "citable", "claim", "kind_of", "usual_of"]

RULE_WORDS = {Language.EN: "rule", Language.VI: "quy tắc"}
"""What comes before the id of a rule."""

_CUES = 3
"""Cues a rationale cites; nobody reads more."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts the cues and rules of a case into words."""

    book: RuleBook = NO_RULES
    language: Language = Language.EN

    def reasoned(self, decision: Decision) -> Decision:
        """Return a decision with its reasons: the fired rules that speak for it, and a rationale."""
        case = case_of(decision, self.book)
        return replace(
            decision, rationale=self.write(case, decision.label), rules=ids_for(case, decision.label)
        )

    def write(self, case: Case, label: Label) -> str:
        """Return one to three sentences on why ``case`` sounds like ``label``."""
        phrases = _PHRASES[self.language]
        cues = chosen_cues(case, label)
        variant = _variant(case)
        first, *rest = (
            (
                claim(
                    cue, self.language, usual=usual_of(case, self.language, first=place == 0), variant=variant
                )
                for place, cue in enumerate(cues)
            )
            if cues
            else (phrases.nothing,)
        )
        text = phrases.joined[variant % len(phrases.joined)](first, rest)
        if not any(speaks_for(cue, label, case) for cue in cues):
            text = phrases.undecided(text, figure(100.0 * case.probabilities.of(label)))
        sentence = text[0].upper() + text[1:] + self._rules(case, label, phrases)
        sound = TONGUES[self.language].sounds.get(case.probabilities.mostly(label))
        return f"{sound}. {sentence}." if sound else f"{sentence}."

    def _rules(self, case: Case, label: Label, phrases: _Phrases) -> str:
        """The strongest rule in words, and what else holds."""
        known = {rule.id for rule in self.book.rules}
        ids = [one for one in ids_for(case, label) if one in known]
        others = [rule for rule in case.fired if rule.label is not label and rule.id in known]
        text = ""
        if ids:
            said = self.book.text(ids[0], self.language)
            text += phrases.rule(ids[0], said[0].lower() + said[1:])
        if len(ids) > 1:
            text += phrases.also(ids[1])
        if others and (not ids or others[0].weight > self.book.rule(ids[0]).weight):
            text += phrases.although(others[0].id)
        return text


def citable(case: Case, label: Label) -> tuple[Cue, ...]:
    """The cues that speak for a label, most telling first: the strongest rule's, then the farthest.

    Where they are of one kind or none, as little else is added as makes two kinds; where none speaks
    for it, all are given.
    """
    of_rule = next((rule.cues for rule in case.fired if rule.label is label), ())

    def rank(cue: Cue) -> tuple[bool, bool, bool, float]:
        good, bad = speaks_for(cue, label, case), speaks_against(cue, label, case)
        distance = abs(cue.z) if label is Label.CALM else -abs(cue.z)
        return (not good, bad, cue.name not in of_rule, distance)

    ranked = sorted(case.cues, key=rank)
    good = [cue for cue in ranked if speaks_for(cue, label, case)] or ranked
    others = [cue for cue in ranked if kind_of(cue) is not kind_of(good[0])]
    missing = [] if set(others) & set(good) else others[:1]
    return (*good, *missing)


def chosen_cues(case: Case, label: Label) -> tuple[Cue, ...]:
    """The cues to tell, of two kinds where there are two."""
    cues = citable(case, label)
    told = cues[:_CUES]
    if len({kind_of(cue) for cue in told}) > 1:
        return told
    return (*told[: _CUES - 1], *[cue for cue in cues if kind_of(cue) is not kind_of(told[0])][:1])


def kind_of(cue: Cue) -> Kind:
    """What of a voice it is about."""
    return KNOWN[cue.name].kind


def usual_of(case: Case, language: Language, *, first: bool = True) -> str:
    """Name the baseline: in full where it comes first."""
    tongue = TONGUES[language]
    # An absolute level is only told of a source that was heard calm.
    heard_calm = any(KNOWN[cue.name].over_floor for cue in case.cues)
    return (tongue.own if heard_calm else tongue.common) if first else tongue.usual


def claim(cue: Cue, language: Language, *, usual: str, variant: int = 0) -> str:
    """Say one cue with its figures: what it is, what is usual, and how far apart they are."""
    tongue = TONGUES[language]
    unit = tongue.units[cue.unit]
    short = tongue.units["dB"] if cue.unit == OVER_FLOOR else unit
    forms = _PHRASES[language].claims
    return forms[variant % len(forms)].format(
        name=tongue.cues[cue.name],
        value=f"{figure(cue.value, tongue)} {unit}",
        level=tongue.levels[cue.word],
        usual=f"{usual} {figure(cue.baseline, tongue)} {short}",
        z=f"{signed(cue.z, tongue)} SD",
    )


def _variant(case: Case) -> int:
    """Not always the same words, yet for the same evidence always the same."""
    return sum(round(100.0 * abs(cue.value)) for cue in case.cues)


Joined = Callable[[str, list[str]], str]


@dataclass(frozen=True, slots=True)
class _Phrases:
    """How one language puts claims and rules together."""

    claims: tuple[str, ...]
    joined: tuple[Joined, ...]
    rule: Callable[[str, str], str]
    also: Callable[[str], str]
    although: Callable[[str], str]
    undecided: Callable[[str, str], str]
    nothing: str


def _list(first: str, rest: list[str]) -> str:
    return "; ".join([first, *rest])


def _with_and(word: str) -> Joined:
    return lambda first, rest: f"; {word} ".join(["; ".join([first, *rest[:-1]]), *rest[-1:]])


def _two_sentences(word: str) -> Joined:
    return lambda first, rest: f"{first}. {word} {'; '.join(rest)}" if rest else first


_PHRASES = {
    Language.EN: _Phrases(
        claims=(
            "{name} {value}, {level} {usual} ({z})",
            "{name} {value} ({z}), {level} {usual}",
            "{name} at {value}, {level} {usual} ({z})",
        ),
        joined=(_list, _with_and("and"), _two_sentences("In addition,")),
        rule="; rule {}: {}".format,
        also=" (also rule {})".format,
        although="; however, rule {} fired as well".format,
        undecided="{}; acoustic cues are inconclusive, classified by the model ({} %)".format,
        nothing="no cue could be measured",
    ),
    Language.VI: _Phrases(
        claims=(
            "{name} {value} {level} {usual} ({z})",
            "{name} là {value}, {level} {usual} ({z})",
            "{name} ({value}, {z}) {level} {usual}",
        ),
        joined=(_list, _with_and("và"), _two_sentences("Ngoài ra,")),
        rule="; quy tắc {}: {}".format,
        also=" (cùng quy tắc {})".format,
        although="; tuy nhiên, quy tắc {} cũng thỏa".format,
        undecided="{}; các dấu hiệu âm học chưa rõ ràng, kết luận theo mô hình ({} %)".format,
        nothing="không đo được dấu hiệu nào",
    ),
}
