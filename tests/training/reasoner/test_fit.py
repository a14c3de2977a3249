from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.prompt import LABEL_WORDS, PREFIX, evidence, opening
from vser_stream.training.reasoner.examples import Example, draw_example
from vser_stream.training.reasoner.fit import fit_network, tokens_of
from vser_stream.training.reasoner.network import Network, Shape
from vser_stream.training.reasoner.teacher import fit_teacher
from vser_stream.training.reasoner.tokenizer import BOS, EOS, id_of, make_tokenizer

CASES, Y = invented_evidence(BOOK).all_of(np.ones(60, bool))
TEACHER = fit_teacher(CASES, Y)
RNG = np.random.default_rng(0)
EXAMPLES = [draw_example(CASES, TEACHER, RNG) for _ in range(40)]
EXPLAINED = next(one for one in EXAMPLES if one.rationale)
SILENT = next(one for one in EXAMPLES if one.rationale is None)
TOKENIZER = make_tokenizer(one.rationale for one in EXAMPLES if one.rationale)


def ids(text: str) -> list[int]:
    return list(TOKENIZER.encode(text).ids)


def test_a_lesson_is_the_prompt_the_verdict_and_the_rationale_with_its_end() -> None:
    lesson = tokens_of(TOKENIZER, EXPLAINED)
    told = [id_of(TOKENIZER, BOS), *ids(PREFIX + evidence(EXPLAINED.case))]
    opened = ids(opening(EXPLAINED.case, EXPLAINED.label, EXPLAINED.language))
    assert lesson.tokens[: lesson.verdict] == told
    assert lesson.tokens[lesson.verdict : lesson.answer] == opened
    assert lesson.tokens[lesson.answer :] == [*ids(EXPLAINED.rationale or ""), id_of(TOKENIZER, EOS)]
    assert lesson.belief == EXPLAINED.belief


@pytest.mark.parametrize(("example", "rationales"), [(SILENT, True), (EXPLAINED, False)])
def test_where_there_is_no_rationale_a_lesson_ends_with_the_verdict(
    example: Example, *, rationales: bool
) -> None:
    lesson = tokens_of(TOKENIZER, example, rationales=rationales)
    assert lesson.tokens[lesson.verdict] == id_of(TOKENIZER, LABEL_WORDS[example.label])
    assert lesson.answer == len(lesson.tokens) == lesson.verdict + 1


def test_it_is_taught_until_its_time_is_up_and_comes_nearer_to_the_teacher() -> None:
    torch.manual_seed(0)
    network, told = Network(Shape(TOKENIZER.get_vocab_size())), list[tuple[str, int, int]]()
    rng = np.random.default_rng(1)
    before = distance(network)
    seen = fit_network(
        network,
        TOKENIZER,
        lambda: EXAMPLES[int(rng.integers(len(EXAMPLES)))],
        minutes=0.05,
        rationales=False,
        progress=lambda *one: told.append(one),
    )
    assert seen % 32 == 0 < seen
    assert told[-1] == ("reasoner", 3, 3)
    assert len(told) == seen // 32
    assert distance(network) < before


def distance(network: Network) -> float:
    """Mean cross-entropy of the belief with that of the teacher."""
    words = [id_of(TOKENIZER, word) for word in LABEL_WORDS.values()]
    found = []
    for example in EXAMPLES[:10]:
        lesson = tokens_of(TOKENIZER, example, rationales=False)
        with torch.no_grad():
            logits = network.logits(network(torch.tensor([lesson.tokens[:-1]]))[0, -1])
        logs = torch.log_softmax(logits, dim=0)[words].tolist()
        found.append(-sum(p * q for p, q in zip(example.belief, logs, strict=True)))
    assert all(map(math.isfinite, found))
    return float(np.mean(found))
