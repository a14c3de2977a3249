from __future__ import annotations

import pytest

from vser_stream.core.reason.language import TONGUES, Language
from vser_stream.core.reason.prompt import CUE_WORDS, TOKENS
from vser_stream.training.reasoner.tokenizer import (
    BOS,
    EOS,
    byte_pairs,
    id_of,
    kinds,
    make_tokenizer,
    texts,
    twins,
)

SAID = ["the voice is high and dark", "giọng cao và tối so với mức thường ngày", "the voice is dark"] * 5
MADE = make_tokenizer(SAID)


@pytest.mark.parametrize(
    "text",
    [
        "the voice is high",
        "giọng cao và tối",
        "a word never heard, 12.5 % of it",
        "ünknown 😀 létters\n",
        " pitch level +3.1 well above",
    ],
)
def test_whatever_is_written_comes_back_letter_by_letter(text: str) -> None:
    ids = MADE.encode(text).ids
    assert MADE.decode(ids, skip_special_tokens=False).replace("  ", " ").strip() == text.strip()


def test_what_was_heard_often_is_fewer_tokens_than_its_letters() -> None:
    assert len(MADE.encode("the voice is dark").ids) <= 6
    assert len(MADE.encode("zqxj kvwz").ids) > 6


def test_digits_stand_alone() -> None:
    assert len(MADE.encode("12345").ids) == 5


def test_the_words_of_the_prompt_are_one_token_each_and_no_byte_pair_is_spent_on_them() -> None:
    of_each = {token: MADE.encode(token).ids for token in TOKENS}
    assert all(len(ids) == 1 for ids in of_each.values())
    learned = make_tokenizer([*SAID, *[" pitch level +3.1 well above"] * 50])
    assert not any("pitch" in merge.replace(" ", "") for merge in byte_pairs(learned))


def test_each_token_has_a_text_and_a_kind_and_only_the_ends_are_control() -> None:
    names, of = texts(MADE), kinds(MADE)
    assert len(names) == len(of) == MADE.get_vocab_size() == len(set(names))
    assert [MADE.token_to_id(name) for name in names] == list(range(len(names)))
    assert {name for name, kind in zip(names, of, strict=True) if kind == 3} == {BOS, EOS}
    assert {name for name, kind in zip(names, of, strict=True) if kind == 4} == set(TOKENS)


def test_each_merge_makes_a_token_of_two_there_are() -> None:
    names = set(texts(MADE))
    merges = [merge.split(" ") for merge in byte_pairs(MADE)]
    assert merges
    assert all(left in names and right in names and left + right in names for left, right in merges)


def test_who_asks_for_a_token_that_is_none_is_told_which() -> None:
    assert texts(MADE)[id_of(MADE, BOS)] == BOS
    with pytest.raises(KeyError, match="no such token"):
        id_of(MADE, "no such token")


def test_a_word_in_another_language_is_paired_with_its_like_in_english() -> None:
    pairs = {(texts(MADE)[one], texts(MADE)[other]) for one, other in twins(MADE)}
    vi, en = CUE_WORDS[Language.VI], CUE_WORDS[Language.EN]
    assert {(f" {vi[name]}", f" {en[name]}") for name in en if vi[name] != en[name]} <= pairs
    levels = TONGUES[Language.EN].levels
    assert {(f" {TONGUES[Language.VI].levels[word]}", f" {levels[word]}") for word in levels} <= pairs
    assert all(one != other for one, other in pairs)
