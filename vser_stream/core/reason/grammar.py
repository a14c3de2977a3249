"""How the bundled reasoner words a rationale: its phrases, and the grammar that allows no other.

The grammar is made for one request: it derives only pairs of cue and figure that are grounds of the
verdict, each once and of two kinds at least, and only rules that fired for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vser_stream.core.reason.language import TONGUES, Language
from vser_stream.core.reason.prompt import CUE_WORDS, grounds, rules_for, tenths
from vser_stream.core.reason.writer import kind_of
from vser_stream.values import Case, Cue, Label

__all__ = ["FEWEST_CLAIMS", "MOST_CLAIMS", "PHRASES", "Phrases", "claim", "grammar", "is_enough"]

FEWEST_CLAIMS: Final = 2
MOST_CLAIMS: Final = 4
_FEWEST_KINDS = 2


@dataclass(frozen=True, slots=True)
class Phrases:
    """What stands between the claims, each with the space before it."""

    openings: tuple[str, ...]
    usual: tuple[str, ...]
    """After the level of the first claim."""

    it: tuple[str, ...]
    """After the level of the others."""

    joins: tuple[str, ...]
    rules: tuple[str, ...]
    """What follows the claims when a rule is named; ``{}`` is the rule."""


PHRASES: Final[Mapping[Language, Phrases]] = {
    Language.EN: Phrases(
        openings=(
            "",
            " here",
            " in this voice,",
            " by what was measured,",
            " what stands out:",
            " most of all",
        ),
        usual=(" the usual", " the usual of this voice", " its usual", " the usual level"),
        it=(" it", " its usual", " that level"),
        joins=(",", " and", ", and", ";", " together with", "; besides,"),
        rules=("; rule{} applies", ", as rule{} says", ", which fits rule{}", "; this meets rule{}"),
    ),
    Language.VI: Phrases(
        openings=("", " ở đây", " ở giọng này,", " theo số đo,", " đáng chú ý:", " trước hết,"),
        usual=(" mức thường ngày", " mức thường ngày của giọng này", " mức quen thuộc", " mức vốn có"),
        it=(" mức đó", " mức thường ngày", " mức quen thuộc"),
        joins=(",", " và", ", còn", ";", ", đồng thời", "; ngoài ra,"),
        rules=(
            "; quy tắc{} được đáp ứng",
            ", đúng như quy tắc{}",
            ", khớp với quy tắc{}",
            "; áp dụng quy tắc{}",
        ),
    ),
}
"""Never a label, nor anything that means one."""


def claim(cue: Cue, language: Language) -> str:
    """State one cue: name, figure, level; what it is compared with follows."""
    tongue = TONGUES[language]
    verb = " is" if language is Language.EN else ""
    return f" {CUE_WORDS[language][cue.name]}{tenths(cue.z)}{verb} {tongue.levels[cue.word]}"


def is_enough(cited: Sequence[Cue]) -> bool:
    """Whether cues of two kinds were cited."""
    kinds = {kind_of(cue) for cue in cited}
    return len(cited) >= FEWEST_CLAIMS and len(kinds) >= _FEWEST_KINDS


def grammar(case: Case, label: Label, language: Language) -> str:
    """Return the GBNF of every rationale for ``label`` that is true of ``case``.

    Args:
        case: One with grounds of two kinds (see prompt.is_explainable), or nothing can be derived.
        label: The verdict.
        language: Of the rationale.
    """
    return "\n".join(_productions(case, label, language))


def _productions(case: Case, label: Label, language: Language) -> Iterator[str]:
    phrases, cues = PHRASES[language], grounds(case, label)
    yield "root ::= opening after"
    yield _production("opening", phrases.openings)
    yield _production("usual", phrases.usual)
    yield _production("it", phrases.it)
    yield _production("join", phrases.joins)
    numbers = rules_for(case, label)
    rules = [phrase.format(number) for number in numbers for phrase in phrases.rules]
    yield _production("close", [".", *(f"{rule}." for rule in rules)])
    yield from _sets(cues, language)


def _sets(cues: Sequence[Cue], language: Language) -> Iterator[str]:
    """One production for each set of cues that has been cited, which says what may follow it."""
    waiting: list[tuple[int, ...]] = [()]
    seen: set[tuple[int, ...]] = {()}
    while waiting:
        cited = waiting.pop()
        choices = ["close"] if is_enough([cues[index] for index in cited]) else []
        for index, cue in enumerate(cues):
            then = tuple(sorted((*cited, index)))
            full = len(then) >= MOST_CLAIMS
            if index in cited or len(then) > MOST_CLAIMS or (full and not is_enough([cues[i] for i in then])):
                continue
            stated = json.dumps(claim(cue, language), ensure_ascii=False)
            start, compared = ("", "usual") if not cited else ("join ", "it")
            choices.append(f"{start}{stated} {compared} {_name(then)}")
            if then not in seen:
                seen.add(then)
                waiting.append(then)
        yield f"{_name(cited)} ::= {' | '.join(choices)}"


def _name(cited: Sequence[int]) -> str:
    return "after" + "".join(f"-{index}" for index in cited)


def _production(name: str, texts: Sequence[str]) -> str:
    return f"{name} ::= {' | '.join(json.dumps(text, ensure_ascii=False) for text in texts)}"
