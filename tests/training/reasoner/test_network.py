from __future__ import annotations

import numpy as np
import torch
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import PREFIX, TOKENS, evidence
from vser_stream.training.reasoner.examples import draw_example
from vser_stream.training.reasoner.fit import tokens_of
from vser_stream.training.reasoner.network import Network, Shape, prime_copying
from vser_stream.training.reasoner.teacher import fit_teacher
from vser_stream.training.reasoner.tokenizer import id_of, make_tokenizer, twins

CASES, Y = invented_evidence(BOOK).all_of(np.ones(120, bool))
TEACHER = fit_teacher(CASES, Y)
RNG = np.random.default_rng(0)
EXAMPLES = [draw_example(CASES, TEACHER, RNG) for _ in range(200)]
TOKENIZER = make_tokenizer(one.rationale for one in EXAMPLES if one.rationale)


def test_every_word_of_the_prompt_is_one_token() -> None:
    for token in TOKENS:
        assert TOKENIZER.encode(token).ids == [id_of(TOKENIZER, token)]


def test_a_prompt_is_made_of_its_own_words() -> None:
    words = {id_of(TOKENIZER, token) for token in TOKENS}
    assert set(TOKENIZER.encode(PREFIX + evidence(CASES[0])).ids) <= words


def copied(network: Network, language: Language) -> float:
    """How often the likeliest figure after a cue is the cue's own, in rationales."""
    figures = [id_of(TOKENIZER, token) for token in TOKENS if token[1] in "+-"]
    right = []
    for example in EXAMPLES:
        if example.language is language and example.rationale:
            lesson = tokens_of(TOKENIZER, example)
            with torch.no_grad():
                logits = network.logits(network(torch.tensor([lesson.tokens])))[0][:, figures]
            places = [i for i in range(lesson.answer, len(lesson.tokens)) if lesson.tokens[i] in figures]
            right += [figures[int(logits[i - 1].argmax())] == lesson.tokens[i] for i in places]
    return float(np.mean(right))


def test_it_starts_as_one_that_copies_in_both_languages() -> None:
    torch.manual_seed(0)
    network = Network(Shape(TOKENIZER.get_vocab_size()))
    untaught = copied(network, Language.EN)
    prime_copying(network, twins(TOKENIZER))
    assert untaught < 0.1
    assert copied(network, Language.EN) > 0.2
    assert copied(network, Language.VI) > 0.2
