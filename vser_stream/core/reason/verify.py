"""Whether a rationale is true of its case: what it cites exists, matches, and speaks for the verdict.

It reads the free text of any model, in English and Vietnamese, and is strict: what it cannot trace
to the evidence counts as false.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vser_stream.core.reason.case import speaks_against, speaks_for
from vser_stream.core.reason.claims import DIRECTIONS, FIGURE, Mention, clauses, mentions_in, phrase
from vser_stream.core.reason.language import LABEL_WORDS, TONGUES, nfc
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.scoring.descriptors import KNOWN
from vser_stream.values import NEAR, Case, Cue, Label, Probabilities, Sound

__all__ = ["LONGEST", "SHORTEST", "Verification", "check"]

SHORTEST, LONGEST = 6, 110
"""Words of a rationale: a phrase is no reason, and nobody reads a page."""

_KINDS = 2
"""Kinds of cue a rationale must rest on."""

_RULE_WORD = phrase("rule", "rules", "luật", "quy tắc")
_SLUG = re.compile(r"(?<![\w-])[a-z]+(?:-[a-z]+)+(?![\w-])", re.IGNORECASE)
_NUMBERED_RULE = re.compile(r"(?<!\w)(?:rules?|luật|quy tắc)\s+(?:no\.?\s*)?([A-Z]?\d+)", re.IGNORECASE)
_NEVER_MEASURED = re.compile(
    r"(?<!\w)(?:formants?|vowels?|consonants?|nasal\w*|articulation|accent|sob\w*|crying|cries|laugh\w*|"
    r"scream\w*|shout\w*|sigh\w*|whisper\w*|vocabulary|wording|facial|heart|nguyên âm|phụ âm|"
    r"nội dung|tiếng khóc|khóc|la hét|hét|cười|thở dài|nhịp tim)(?!\w)",
    re.IGNORECASE,
)
_EXACT = 1e-6
"""A half may be rounded either way."""

_NOT = re.compile(
    r"(?<!\w)(?:not|no|isn't|never|without|hardly|không|chẳng|chưa)(?:\s+\w+)?\s+$", re.IGNORECASE
)
_IS_Z = re.compile(r"\bz(?:-score)?\s*(?:=|:|of|is|là|at)?\s*$", re.IGNORECASE)
_IS_DEVIATIONS = re.compile(r"^\s*(?:\u03c3|sd\b|standard deviations?|độ lệch chuẩn)", re.IGNORECASE)
_IS_CONFIDENCE = re.compile(r"(?:confidence|độ tin cậy)\s*(?:of|is|là|=|:)?\s*$", re.IGNORECASE)
_BASELINE = phrase(
    "usual", "baseline", "normal", "typical", "bình thường", "thường lệ", "thường ngày", "quen thuộc"
)
_LEVELS = {nfc(text): word for tongue in TONGUES.values() for word, text in tongue.levels.items()}
_LEVEL = phrase(*_LEVELS)
_SOUNDS = {nfc(text).lower(): sound for tongue in TONGUES.values() for sound, text in tongue.sounds.items()}
_SOUND = phrase(*_SOUNDS)


def _either(texts: Iterable[str], before: str) -> re.Pattern[str]:
    """Match any of some units, the longest first, after ``before``."""
    longest_first = sorted({re.escape(text) for text in texts}, key=len, reverse=True)
    return re.compile(rf"{before}\s*(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)


_UNITS = {
    # "dB over floor" is also told as plain dB.
    unit: _either((tongue.units[unit].split()[0] for tongue in TONGUES.values()), "^")
    for unit in {descriptor.unit for descriptor in KNOWN.values()}
}
_ANY_UNIT = _either((unit for tongue in TONGUES.values() for unit in tongue.units.values()), r"(?<=\d)")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a rationale is worth."""

    faults: tuple[str, ...]
    """Why it must not be published; empty if it may."""

    claims: int
    """Figures, directions and rules it states."""

    wrong: int
    """Those that are not so."""

    cited: tuple[str, ...]
    """Names of the cues it says something of, each once."""

    coverage: float
    """Share of the cues of the strongest rule for the label that it cites; of any that speak for it if
    no rule does."""

    leaks: tuple[str, ...]
    """Words that name the label instead of a reason."""

    words: int

    @property
    def passed(self) -> bool:
        """Whether it may be published."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class _Claim:
    """One statement, and what is wrong with it."""

    fault: str | None = None
    cue: str | None = None


def check(rationale: str, case: Case, label: Label, *, book: RuleBook) -> Verification:
    """Check every claim of a rationale for ``label`` against the case.

    Args:
        rationale: Free text.
        case: What it must be true of.
        label: The verdict it explains.
        book: The rules in force: their texts may be quoted where they fired.
    """
    text = nfc(rationale)
    ids = [rule.id for rule in case.fired]
    quotes = _quotes(text, book)
    prose = phrase(*quotes).sub(" ", text) if quotes else text
    heard = _SOUND.findall(prose)
    prose = _SOUND.sub(" ", prose)
    claims = [*_rules(prose, ids, book), *_statements(_SLUG.sub(" ", prose), case)]
    claims += [_heard(said, case.probabilities.mostly(label)) for said in heard]
    claims += [_Claim(None if one in ids else f"rule {one} did not fire") for one in quotes.values()]
    cited = tuple(dict.fromkeys(one.cue for one in claims if one.cue))
    leaks = tuple(match[0].lower() for match in LABEL_WORDS.finditer(text))
    words = len(text.split())
    wrong = [one.fault for one in claims if one.fault]
    return Verification(
        faults=(*wrong, *_form(words, leaks), *_support(cited, case, label)),
        claims=len(claims),
        wrong=len(wrong),
        cited=cited,
        coverage=_coverage(cited, case, label),
        leaks=leaks,
        words=words,
    )


def _heard(said: str, sound: Sound) -> _Claim:
    """What the classifier took it for is the one thing that may be said beyond the cues."""
    return _Claim(None if _SOUNDS[said.lower()] is sound else "the classifier heard something else")


def _quotes(text: str, book: RuleBook) -> dict[str, str]:
    """What a rule says in its own words makes no claim about a figure: quotes by rule."""
    said = {text: rule.id for rule in book.rules for text in (rule.text.en, rule.text.vi)}
    return {quote: rule_id for quote, rule_id in said.items() if quote.lower() in text.lower()}


def _rules(text: str, ids: Iterable[str], book: RuleBook) -> Iterator[_Claim]:
    known = {rule.id for rule in book.rules}
    fired = set(ids)
    for clause in clauses(text):
        speaks_of_rules = _RULE_WORD.search(clause) is not None
        for slug in _SLUG.findall(clause):
            name = slug.lower()
            if name in fired:
                yield _Claim()
            elif name in known or speaks_of_rules:
                yield _Claim(f"rule {name} did not fire")
        for number in _NUMBERED_RULE.findall(clause):
            yield _Claim(f"there is no rule {number}")


def _statements(text: str, case: Case) -> Iterator[_Claim]:
    cues = {cue.name: cue for cue in case.cues}
    yield from (_Claim(f"{word} was never measured") for word in _NEVER_MEASURED.findall(text))
    for clause in clauses(text):
        found = mentions_in(clause)
        if not found:
            yield from _unattached(clause, case)
        shared = ""
        for mention in reversed(found):
            shared = mention.said + shared if mention.shared else mention.said
            yield from _about(mention, cues, direction_from=shared)


def _about(mention: Mention, cues: Mapping[str, Cue], *, direction_from: str) -> Iterator[_Claim]:
    cue = cues.get(mention.cue)
    if cue is None:
        yield _Claim(f"{mention.cue} is not in the evidence", mention.cue)
        return
    for fault in (*_figures(mention.said, cue), *_directions(direction_from, cue)):
        yield _Claim(fault and f"{cue.name}: {fault}", cue.name)


def _unattached(clause: str, case: Case) -> Iterator[_Claim]:
    """Figures of the classifiers are welcome; any other belongs to a cue."""
    for match in FIGURE.finditer(clause):
        known = any(_matches(match[0], value) for value in _opinions(case))
        yield _Claim(None if known else f"{match[0]} belongs to no cue")
    if said := _LEVEL.search(clause) or phrase("higher", "lower", "cao hơn", "thấp hơn").search(clause):
        yield _Claim(f"{said[0]!r} is said of no cue")


def _opinions(case: Case) -> Iterator[float]:
    yield case.snr_db
    for opinion in (case.probabilities, case.second):
        if isinstance(opinion, Probabilities):
            for label in Label:
                yield opinion.of(label)
                yield 100.0 * opinion.of(label)


def _figures(said: str, cue: Cue) -> Iterator[str | None]:
    """One entry for each figure: None, or what is wrong with it."""
    matches = list(FIGURE.finditer(said))
    measured = [match for match in matches if not _is_distance(match, said)]
    last = 0
    for match in matches:
        before, after = said[last : match.start()], said[match.end() :]
        if match not in measured:
            allowed: tuple[float, ...] = (cue.z,)
        elif _IS_DEVIATIONS.match(after):
            allowed = (cue.z, abs(cue.z))
        elif _IS_CONFIDENCE.search(before):
            allowed = (cue.confidence,)
        elif len(measured) == 1:
            allowed = (cue.value, cue.baseline)
        else:
            allowed = (cue.baseline,) if _BASELINE.search(before) else (cue.value,)
        last = match.end()
        yield _figure_fault(match[0], after, cue, allowed)


def _is_distance(match: re.Match[str], said: str) -> bool:
    """A figure after z, or with a sign and without a unit."""
    signed = not match[0][0].isdigit() and _unit(said[match.end() :]) is None
    return signed or _IS_Z.search(said[: match.start()]) is not None


def _unit(after: str) -> str | None:
    return next((unit for unit, pattern in _UNITS.items() if pattern.match(after)), None)


def _figure_fault(text: str, after: str, cue: Cue, allowed: tuple[float, ...]) -> str | None:
    if not any(_matches(text, value) for value in allowed):
        return f"{text} is not what was measured"
    if _unit(after) and cue.value in allowed and not _UNITS[cue.unit].match(after):
        return f"{text} is in another unit"
    return None


def _matches(text: str, value: float) -> bool:
    """Whether a figure is a value, rounded as far as it is told."""
    plain = text.replace("\u2212", "-").replace(",", ".")
    decimals = len(plain.partition(".")[2])
    return abs(float(plain) - value) <= 0.5 * 10.0**-decimals + _EXACT


def _directions(said: str, cue: Cue) -> Iterator[str | None]:
    prose = _ANY_UNIT.sub(" ", said)
    for match in _LEVEL.finditer(prose):
        word = _LEVELS[match[0].lower()]
        holds = (word == cue.word) is not _denied(prose, match)
        yield None if holds else f"{match[0]!r} is not where it is"
    prose = _LEVEL.sub(" ", prose)
    where = NEAR if abs(cue.z) < 1.0 else "up" if cue.z > 0 else "down"
    for direction, pattern in DIRECTIONS.items():
        for match in pattern.finditer(prose):
            holds = (direction == where) is not _denied(prose, match)
            yield None if holds else f"{match[0]!r} is not where it is"


def _denied(text: str, match: re.Match[str]) -> bool:
    return _NOT.search(text[: match.start()]) is not None


def _form(words: int, leaks: tuple[str, ...]) -> Iterator[str]:
    if not SHORTEST <= words <= LONGEST:
        yield f"{words} words; {SHORTEST} to {LONGEST} are a rationale"
    if leaks:
        yield f"names a label ({leaks[0]!r}) instead of a reason"


def _support(cited: tuple[str, ...], case: Case, label: Label) -> Iterator[str]:
    kinds = {KNOWN[cue.name].kind for cue in case.cues}
    told = {KNOWN[name].kind for name in cited}
    if len(told) < min(_KINDS, len(kinds)):
        yield f"rests on {len(told)} kinds of cue; {_KINDS} are needed"
    of_case = [cue for cue in case.cues if cue.name in cited]
    good = sum(speaks_for(cue, label, case) for cue in of_case)
    bad = sum(speaks_against(cue, label, case) for cue in of_case)
    possible = any(speaks_for(cue, label, case) for cue in case.cues)
    if possible and not good:
        yield "no cue it cites speaks for the verdict"
    elif bad > good > 0:
        yield f"of the cues it cites {bad} speak against the verdict and {good} for it"


def _coverage(cited: tuple[str, ...], case: Case, label: Label) -> float:
    strongest = next((rule.cues for rule in case.fired if rule.label is label), None)
    if strongest:
        return sum(name in cited for name in strongest) / len(strongest)
    speaking = [cue.name for cue in case.cues if speaks_for(cue, label, case)]
    return float(not speaking or any(name in cited for name in speaking))
