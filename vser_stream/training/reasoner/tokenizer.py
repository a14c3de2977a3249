"""The tokenizer of the bundled reasoner: whole words of the prompt, byte pairs for the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from vser_stream.core.reason.language import TONGUES, Language
from vser_stream.core.reason.prompt import CUE_WORDS, TOKENS

__all__ = ["BOS", "EOS", "byte_pairs", "id_of", "kinds", "make_tokenizer", "texts", "twins"]

BOS, EOS = "<s>", "</s>"

_MOST = 1024
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
"""Kinds of token in GGUF."""


def make_tokenizer(rationales: Iterable[str]) -> Tokenizer:
    """Learn byte pairs from rationales; the words of the prompt are one token each, whatever is learned.

    Digits stand alone and the rest is split as GPT-2 does, which llama.cpp does too under the name
    the model file gives.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=_MOST - len(TOKENS),
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((_without_tokens(text) for text in rationales), trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in TOKENS])
    return tokenizer


def _without_tokens(text: str) -> str:
    """What byte pairs have to be learned for."""
    for token in sorted(TOKENS, key=len, reverse=True):
        text = text.replace(token, "\n")
    return text


def texts(tokenizer: Tokenizer) -> list[str]:
    """Every token by its id, as the model file has them."""
    return [str(tokenizer.id_to_token(index)) for index in range(tokenizer.get_vocab_size())]


def kinds(tokenizer: Tokenizer) -> list[int]:
    """What each token is, by its id."""
    known = {**dict.fromkeys(TOKENS, _USER_DEFINED), BOS: _CONTROL, EOS: _CONTROL}
    return [known.get(text, _NORMAL) for text in texts(tokenizer)]


def byte_pairs(tokenizer: Tokenizer) -> list[str]:
    """The merges, most frequent first."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [" ".join(pair) for pair in merges]


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token it is known to have."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(token)
    return found


def twins(tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """Ids of the words of each other language beside those of the same meaning in English."""
    english = Language.EN
    pairs = [
        (f" {theirs[name]}", f" {ours[name]}")
        for language, tongue in TONGUES.items()
        for theirs, ours in (
            (CUE_WORDS[language], CUE_WORDS[english]),
            (tongue.levels, TONGUES[english].levels),
        )
        for name in ours
    ]
    return [(id_of(tokenizer, one), id_of(tokenizer, other)) for one, other in pairs if one != other]
