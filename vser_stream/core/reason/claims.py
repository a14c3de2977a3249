"""Where a text speaks of a cue, and what it says of it there: free prose, English or Vietnamese."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vser_stream.core.reason.language import TONGUES

__all__ = ["DIRECTIONS", "FIGURE", "Mention", "clauses", "mentions_in", "phrase"]

FIGURE = re.compile(r"(?<![\w.,])[+\-\u2212]?\d+(?:[.,]\d+)?(?!\w|[.,]\d)")
"""A number, with a hyphen or a minus sign, a decimal point or comma."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "pitch level": ("pitch", "average pitch", "mean pitch", "fundamental frequency", "f0", "cao độ giọng"),
    "pitch variability": ("pitch variation", "pitch range", "pitch spread", "biến thiên cao độ"),
    "pitch trend": ("pitch slope",),
    "share of rising pitch": ("pitch shape", "rising pitch", "tỷ lệ lên giọng"),
    "rate of pitch change": ("pitch motion", "pitch movement", "pitch movements", "tốc độ đổi cao độ"),
    "jitter": ("tremor", "trembling", "shaking", "shakiness", "độ run", "độ rung", "độ rung giọng", "jitter"),
    "intensity": ("volume", "loudness", "vocal intensity", "âm lượng", "độ to"),
    "intensity trend": ("loudness trend", "xu hướng độ to"),
    "intensity variability": (
        "energy variability",
        "energy variation",
        "loudness variability",
        "biến thiên cường độ",
    ),
    "rate of intensity change": ("energy motion", "tốc độ đổi cường độ"),
    "speech rate": ("speaking rate", "rate of speech", "tempo", "speech tempo", "nhịp nói"),
    "pauses": ("pausing", "pause share", "ngắt nghỉ"),
    "brightness": ("spectral centroid", "độ sáng"),
    "spectral change": ("spectral flux", "thay đổi âm sắc"),
    "breathiness": ("độ hơi",),
    "harmonicity": ("hnr", "harmonics-to-noise ratio", "độ trong"),
    "shimmer": ("shimmer", "dao động biên độ", "độ dao động biên độ"),
}
"""What people and models call the cues besides their names."""

_NAMES = {
    **{alias: cue for cue, aliases in _ALIASES.items() for alias in aliases},
    **{name: cue for tongue in TONGUES.values() for cue, name in tongue.cues.items()},
}


def phrase(*words: str) -> re.Pattern[str]:
    """Match any of some phrases as whole words, the longest first."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


_NAME = phrase(*_NAMES)

DIRECTIONS: Mapping[str, re.Pattern[str]] = {
    "up": phrase(
        "above", "higher", "high", "raised", "elevated", "increased", "increases", "up", "more",
        "faster", "fast", "quicker", "quick", "louder", "loud", "greater", "stronger", "wider", "brighter",
        "larger", "longer", "exceeds",
        "cao hơn", "cao", "tăng", "nhanh hơn", "nhanh", "to hơn", "lớn hơn", "mạnh hơn",
        "nhiều hơn", "rộng hơn", "sáng hơn", "vượt",
    ),
    "down": phrase(
        "below", "lower", "low", "reduced", "decreased", "decreases", "down", "less", "fewer",
        "slower", "slow", "softer", "soft", "quieter", "quiet", "smaller", "narrower", "weaker", "duller",
        "shorter", "darker", "thấp hơn", "thấp", "giảm", "chậm hơn", "chậm", "nhỏ hơn", "ít hơn", "hẹp hơn",
        "yếu hơn", "tối hơn", "dưới",
    ),
    "near": phrase(
        "near", "close to", "unchanged", "is normal", "is usual", "is typical", "at its usual",
        "xấp xỉ", "gần như", "gần bằng", "gần mức", "ngang mức", "không đổi", "vẫn bình thường",
    ),
}  # fmt: skip
"""Words that say where a cue is, against what is usual."""

_CLAUSE_END = re.compile(r"(?:[;!?\n]|(?<!\d)[.:]|[.:](?!\d))+")
_JOINS_NEXT = re.compile(r"^\W*(?:and|as well as|và|cũng như|cùng với)?\W*$", re.IGNORECASE)
_BEFORE_NAME = re.compile(
    rf"(?:{DIRECTIONS['up'].pattern}|{DIRECTIONS['down'].pattern})\s+(?:the\s+|a\s+|in\s+)?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A cue, and the words that belong to it."""

    cue: str
    said: str
    """The text about it, without its name."""

    shared: bool = False
    """Named together with the next one, whose direction it shares."""


def clauses(text: str) -> tuple[str, ...]:
    """Cut a text where one statement ends."""
    return tuple(part for part in _CLAUSE_END.split(text) if part.strip())


def mentions_in(clause: str) -> tuple[Mention, ...]:
    """Return the cues of a clause with what is said of each; of none before the first."""
    names = list(_NAME.finditer(clause))
    return tuple(_mentions(clause, names))


def _mentions(clause: str, names: list[re.Match[str]]) -> Iterator[Mention]:
    starts = [_start(clause, names, place) for place in range(len(names))]
    for place, name in enumerate(names):
        end = starts[place + 1] if place + 1 < len(names) else len(clause)
        before, after = clause[starts[place] : name.start()], clause[name.end() : end]
        yield Mention(
            cue=_NAMES[name[0].lower()],
            said=f"{before} {after}",
            shared=place + 1 < len(names) and _JOINS_NEXT.match(after) is not None,
        )


def _start(clause: str, names: list[re.Match[str]], place: int) -> int:
    """Where the words about a cue begin: ``higher pitch`` has one before its name."""
    if place == 0:
        return 0
    adjective = _BEFORE_NAME.search(clause, names[place - 1].end(), names[place].start())
    return adjective.start() if adjective else names[place].start()
