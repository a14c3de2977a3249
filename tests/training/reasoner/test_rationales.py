from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.cases import case, cue

from vser_stream.core.reason.grammar import FEWEST_CLAIMS, MOST_CLAIMS
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import CUE_WORDS, grounds, rules_for
from vser_stream.training.reasoner.rationales import teacher_rationale
from vser_stream.values import Label

CASE = case(
    cue("pitch level", 5.1),
    cue("brightness", -0.2),
    cue("intensity", 2.3),
    cue("speech rate", 1.4),
    cue("jitter", 2.2),
)


def written(language: Language, count: int = 200) -> list[str]:
    rng = np.random.default_rng(0)
    return [teacher_rationale(CASE, Label.PANIC, language, rng) for _ in range(count)]


def cited(text: str, language: Language) -> list[str]:
    """Names of cues, in the order of the text."""
    words = CUE_WORDS[language]
    places = {text.find(f" {words[one.name]}"): one.name for one in CASE.cues}
    return [places[place] for place in sorted(places) if place >= 0]


@pytest.mark.parametrize("language", Language)
def test_it_cites_some_grounds_and_begins_with_two_kinds(language: Language) -> None:
    first_two = {one.name for one in grounds(CASE, Label.PANIC)[:FEWEST_CLAIMS]}
    for text in written(language):
        names = cited(text, language)
        assert FEWEST_CLAIMS <= len(names) <= MOST_CLAIMS
        assert set(names[:FEWEST_CLAIMS]) == first_two
        assert set(names) <= {one.name for one in grounds(CASE, Label.PANIC)}
        assert text.endswith(".")


@pytest.mark.parametrize("language", Language)
def test_the_second_ground_comes_first_now_and_then(language: Language) -> None:
    leading = Counter(cited(text, language)[0] for text in written(language, 600))
    strongest = grounds(CASE, Label.PANIC)[0].name
    assert leading[strongest] / leading.total() == pytest.approx(0.7, abs=0.07)


def test_a_rule_is_mostly_named_and_mostly_the_strongest() -> None:
    numbers = rules_for(CASE, Label.PANIC)
    assert len(numbers) > 1
    named = Counter(number for text in written(Language.EN, 600) for number in numbers if number in text)
    assert named.total() / 600 == pytest.approx(0.8, abs=0.06)
    assert [number for number, _ in named.most_common(2)] == list(numbers[:2])


def test_they_do_not_all_read_alike_and_a_seed_writes_the_same() -> None:
    assert len(set(written(Language.EN))) > 100
    assert written(Language.VI, 20) == written(Language.VI, 20)
    assert set(written(Language.VI)).isdisjoint(written(Language.EN))
