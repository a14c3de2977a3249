"""Cases of measured cues, without any audio behind."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from vser_stream.adapters.storage.rulebook import load
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.scoring.descriptors import DESCRIPTORS, KNOWN
from vser_stream.values import Case, Cue, Probabilities

__all__ = ["BOOK", "case", "cases", "cue", "rule_text"]

BOOK = load(Path(__file__).parents[2] / "rules" / "calm-angry-panic.toml")
UNSURE = Probabilities(calm=0.1, angry=0.5, panic=0.4)


def cue(
    name: str, z: float, *, value: float = 220.0, baseline: float = 180.0, confidence: float = 1.0
) -> Cue:
    return Cue(name, value, KNOWN[name].unit, baseline, z, confidence)


def case(
    *cues: Cue,
    book: RuleBook = BOOK,
    second: Probabilities | None = None,
    snr_db: float = 21.0,
    probabilities: Probabilities = UNSURE,
) -> Case:
    return Case(probabilities, second, cues, book.fired(cues), (), snr_db)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any cues, one way or the other; a seed is a hundred times faster than seventy draws."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    cues = [
        cue(
            one.name,
            round(chance.uniform(-6, 6), 2),
            value=_figure(chance),
            baseline=_figure(chance),
            confidence=round(chance.random(), 2),
        )
        for one in DESCRIPTORS
        if not one.over_floor or chance.random() < 0.5
    ]
    return case(*cues, probabilities=Probabilities.folded(chance.dirichlet(np.full(5, 0.3)).tolist()))


def _figure(chance: np.random.Generator) -> float:
    return round(chance.uniform(-90, 900) / float(chance.choice([1, 10, 100])), 2)


def rule_text(**changed: str) -> str:
    """A book of one rule in TOML; a value replaces that of its key, an empty one leaves it out."""
    lines = {
        "id": '"high-dark-voice"',
        "label": '"panic"',
        "weight": "0.9",
        "text": '{ en = "High without brightness", vi = "Giọng cao mà không sáng" }',
        "when": '[{ cue = "pitch level", z_at_least = 2.0 }, { cue = "brightness", z_at_most = 0.5 }]',
        "source": '"Juslin and Laukka 2003"',
        "date": "2026-11-21",
        "fires": '[{ cue = "pitch level", z = 3.0 }, { cue = "brightness", z = 0.0 }]',
        "silent": '[{ cue = "pitch level", z = 3.0 }, { cue = "brightness", z = 3.0 }]',
    } | changed
    keys = "".join(f"{key} = {value}\n" for key, value in lines.items() if value)
    return f'name = "one"\nversion = "1.0.0"\nauthor = "somebody here"\n[[rules]]\n{keys}'
