"""Reading what a chat model answers: the JSON object asked for, whatever it is wrapped in.

A server that enforces nothing lets its model think aloud, put a fence around the object, or begin with a
sentence. Where one object with a label can be found it is read; where there is none, or two that
differ, there is no answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from vser_stream.errors import ReasonerError
from vser_stream.values import Label

__all__ = ["LONGEST", "label_in", "object_in", "rationale_in"]

LONGEST = 900
"""A rationale that goes on is none (characters)."""

_AROUND = 3000
"""What may stand around the object and in it, thoughts aside (characters)."""

_OBJECTS = 16
"""Braces that are tried."""

_THOUGHT, _THOUGHT_OUT = "<think>", "</think>"

_NONE = "the answer is not the JSON object asked for"


def object_in(answer: str) -> Mapping[str, object]:
    """Return the object with a label in it, its keys in small letters.

    Raises:
        ReasonerError: There is none, or there are two that differ.
    """
    said = answer.rpartition(_THOUGHT_OUT)[2]
    if _THOUGHT in said:
        raise ReasonerError(f"{_NONE}: it ends in the middle of a thought")
    if len(said) > _AROUND:
        raise ReasonerError(f"{_NONE}: it is {len(said)} characters long")
    found = list(_objects(said))
    named = [one for one in found if _label(one)]
    if len({_label(one) for one in named}) > 1:
        raise ReasonerError(f"{_NONE}: it holds several, and they differ")
    if not found:
        raise ReasonerError(_NONE)
    return (named or found)[-1]


def label_in(answer: Mapping[str, object]) -> Label:
    """Return the label of an answer, which may be in capitals.

    Raises:
        ReasonerError: It is none of ours.
    """
    if (label := _label(answer)) is None:
        raise ReasonerError(f"{_NONE}: its label is none of {', '.join(Label)}")
    return label


def rationale_in(answer: Mapping[str, object]) -> str:
    """Return the rationale of an answer as one line of text that can be printed.

    Raises:
        ReasonerError: There is none, it goes on, or it holds control characters.
    """
    said = answer.get("rationale")
    text = " ".join(said.split()) if isinstance(said, str) else ""
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ReasonerError(f"{_NONE}: its rationale is no sentence")
    return text


def _objects(said: str) -> Iterator[Mapping[str, object]]:
    """Each outermost object with a label."""
    decoder, place = json.JSONDecoder(strict=False), 0  # models break lines inside a string
    for _ in range(_OBJECTS):
        place = said.find("{", place)
        if place < 0:
            return
        try:
            found, place = decoder.raw_decode(said, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        known = {str(key).lower(): value for key, value in found.items()}
        if isinstance(known.get("label"), str):
            yield known


def _label(answer: Mapping[str, object]) -> Label | None:
    said = str(answer["label"]).strip().lower()
    return next((label for label in Label if label.value == said), None)
