from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, cases

from vser_stream.core.reason.grammar import grammar
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import finish, is_explainable
from vser_stream.core.reason.verify import check
from vser_stream.training.reasoner.rationales import teacher_rationale
from vser_stream.values import Case, Label

LABELLED = st.sampled_from(list(Label))
SPOKEN = st.sampled_from(list(Language))
SEEDS = st.integers(0, 2**32)


def productions(of: Case, label: Label, language: Language) -> dict[str, list[list[str]]]:
    """Alternatives of each name; a part is a name or a quoted text."""
    lines = (line.split(" ::= ", 1) for line in grammar(of, label, language).splitlines())
    return {
        name: [
            re.findall(r'"[^"]*"|[\w-]+', one)
            for one in re.split(r" \| (?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", right)
        ]
        for name, right in lines
    }


def derived(rules: dict[str, list[list[str]]], rng: np.random.Generator, name: str = "root") -> str:
    parts = rules[name][rng.integers(len(rules[name]))]
    return "".join(part[1:-1] if part.startswith('"') else derived(rules, rng, part) for part in parts)


def derives(rules: dict[str, list[list[str]]], text: str, name: str = "root") -> set[str]:
    """What may be left of a text after ``name`` was read."""
    left: set[str] = set()
    for parts in rules[name]:
        rests = {text}
        for part in parts:
            if part.startswith('"'):
                rests = {rest.removeprefix(part[1:-1]) for rest in rests if rest.startswith(part[1:-1])}
            else:
                rests = set().union(*(derives(rules, rest, part) for rest in rests))
        left |= rests
    return left


@given(cases(), LABELLED, SPOKEN, SEEDS)
def test_whatever_it_derives_passes_the_checker(
    of: Case, label: Label, language: Language, seed: int
) -> None:
    if is_explainable(of, label):
        raw = derived(productions(of, label, language), np.random.default_rng(seed))
        assert check(finish(raw, of, language), of, label, book=BOOK).faults == ()


@given(cases(), LABELLED, SPOKEN, SEEDS)
def test_it_derives_whatever_the_teacher_writes(
    of: Case, label: Label, language: Language, seed: int
) -> None:
    if is_explainable(of, label):
        raw = teacher_rationale(of, label, language, np.random.default_rng(seed))
        assert "" in derives(productions(of, label, language), raw)
