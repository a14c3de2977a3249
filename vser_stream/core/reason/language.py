"""The words a rationale is made of, in each language it can be written in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from vser_stream.config.schema import Language
from vser_stream.core.scoring.descriptors import DESCRIPTORS, OVER_FLOOR
from vser_stream.values import LEVELS, Sound

__all__ = ["LABEL_WORDS", "TONGUES", "Language", "Tongue", "figure", "nfc", "signed"]


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language's words for cues, units and levels."""

    cues: Mapping[str, str]
    """By the name of the descriptor."""

    levels: Mapping[str, str]
    """By the word of :data:`~vser_stream.values.LEVELS`; the usual value follows."""

    units: Mapping[str, str]
    """By the unit of the descriptor."""

    own: str
    """The baseline of a source that was heard calm."""

    common: str
    """The baseline of a source that was not."""

    usual: str
    """Either, once it has been named."""

    sounds: Mapping[Sound, str]
    """What the classifier took a sound for that is not all voice: a sentence."""

    decimal: str = "."


_EN = Tongue(
    cues={descriptor.name: descriptor.name for descriptor in DESCRIPTORS},
    levels={word: word for word in LEVELS},
    units={descriptor.unit: descriptor.unit for descriptor in DESCRIPTORS}
    | {OVER_FLOOR: "dB over the noise floor"},
    own="this speaker's usual",
    common="most speakers' usual",
    usual="the usual",
    sounds={
        Sound.HARMLESS: "Classified as lively speech or a harmless sound",
        Sound.WORDLESS: "Classified as a wordless scream, sobbing or moaning",
    },
)

_VI = Tongue(
    cues={
        "pitch level": "cao độ",
        "pitch variability": "độ biến thiên cao độ",
        "pitch trend": "xu hướng cao độ",
        "share of rising pitch": "tỷ lệ cao độ đi lên",
        "rate of pitch change": "tốc độ thay đổi cao độ",
        "jitter": "chỉ số jitter",
        "intensity": "cường độ",
        "intensity trend": "xu hướng cường độ",
        "intensity variability": "độ biến thiên cường độ",
        "rate of intensity change": "tốc độ thay đổi cường độ",
        "shimmer": "chỉ số shimmer",
        "speech rate": "tốc độ nói",
        "pauses": "tỷ lệ ngắt nghỉ",
        "brightness": "độ sáng của giọng",
        "spectral change": "mức thay đổi âm sắc",
        "breathiness": "độ hơi của giọng",
        "harmonicity": "độ trong của giọng",
    },
    levels={
        "near": "xấp xỉ",
        "somewhat above": "hơi cao hơn",
        "well above": "cao hơn rõ so với",
        "far above": "cao hơn nhiều so với",
        "somewhat below": "hơi thấp hơn",
        "well below": "thấp hơn rõ so với",
        "far below": "thấp hơn nhiều so với",
    },
    units={
        "Hz": "Hz",
        "semitones": "nửa cung",
        "semitones/s": "nửa cung/giây",
        "dB": "dB",
        OVER_FLOOR: "dB trên nền ồn",
        "dB/s": "dB/giây",
        "peaks/s": "đỉnh/giây",
        "%": "%",
    },
    own="mức bình thường của người nói này là",
    common="mức bình thường của đa số người là",
    usual="mức bình thường",
    sounds={
        Sound.HARMLESS: "Được phân loại là lời nói sôi nổi hoặc âm thanh vô hại",
        Sound.WORDLESS: "Được phân loại là tiếng hét, khóc hoặc rên không thành lời",
    },
    decimal=",",
)

TONGUES = {Language.EN: _EN, Language.VI: _VI}

LABEL_WORDS = re.compile(
    r"\b(?:"
    r"calm\w*|anger|angr\w+|panic\w*|fear\w*|afraid|scared|frighten\w*|terrif\w+|terror|rage|raging|"
    r"furious|fury|irate|enraged|relaxed|serene|tranquil|distress\w*|"
    r"bình tĩnh|điềm tĩnh|thư thái|giận\w*|tức giận|tức tối|nổi giận|phẫn nộ|cáu\w*|"
    r"hoảng\w*|sợ\w*|kinh hãi|khiếp\w*"
    r")\b",
    re.IGNORECASE,
)
"""Names and paraphrases of the labels: a reason that says one says nothing (Su et al. 2025, section 2.1)."""


_THREE_DIGITS = (100.0, 10.0)
"""Below each, one more decimal is shown."""


def nfc(text: str) -> str:
    """One code point for each Vietnamese letter: two spellings of it must not be two words."""
    return unicodedata.normalize("NFC", text)


def figure(value: float, tongue: Tongue = _EN) -> str:
    """Show a measured value with the three digits that mean something."""
    decimals = sum(abs(value) < bound for bound in _THREE_DIGITS)
    return f"{value:.{decimals}f}".replace(".", tongue.decimal)


def signed(z: float, tongue: Tongue = _EN) -> str:
    """Show a distance from calm."""
    return f"{round(z, 1) + 0.0:+.1f}".replace(".", tongue.decimal)
