"""What each recording of the corpora is in a home: one table, by corpus and by words of its own label."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from vser_stream.values import Label

__all__ = ["OUTSIDE", "Answer", "Role", "answer_of", "role_of"]


class Answer(StrEnum):
    """What a model may say inside, in the order of ``values.ANSWERS``; outside there are three labels."""

    CALM = "calm"
    ANGRY = "angry"
    PANIC = "panic"
    OTHER = "other"
    """Lively speech, laughter, coughs, music: what passed the speech detector and is none of the others."""

    SCREAM = "scream"
    """Distress without words."""


OUTSIDE: Final = {
    Answer.CALM: Label.CALM,
    Answer.ANGRY: Label.ANGRY,
    Answer.PANIC: Label.PANIC,
    Answer.OTHER: Label.CALM,
    Answer.SCREAM: Label.PANIC,
}


class Role(StrEnum):
    """Where a recording is heard in a composed home."""

    VOICE = "voice"
    """Somebody's calm, angry, frightened or lively speech: people who live there."""

    NATURAL = "natural"
    """People as they talk when nobody asks for an emotion: visitors, and voices on the radio."""

    LIVELY = "lively"
    """Lively speech of people of whom there is nothing else."""

    SCREAM = "scream"
    LOOK_ALIKE = "look-alike"
    """Voices without words that are no distress."""

    BACKGROUND = "background"
    IMPULSE = "impulse"
    """Response of a room or of a loudspeaker."""

    UNUSED = "unused"
    """Nobody can tell what it is."""


_SPEECH: Final = (
    (Role.NATURAL, "baved", "neutral"),
    (Role.NATURAL, "vi-read|vi-commands-more", ""),
    (Role.LIVELY, "baved|urdu-other", ""),
    (Role.NATURAL, "", "natural"),
    (Role.VOICE, "", ""),
)
"""Roles of speech, by corpus and by a word of its own label; the first row that fits, '' fits all."""

_SOUNDS: Final = (
    # An adult who cries or moans is one a neighbour would look after, as one who screams. What EmoGator calls
    # sadness is sighs and sobs that nobody has sorted; a growl of anger or a gasp of surprise may be either.
    (Role.UNUSED, "emogator", "anger|sadness|surprise .negative"),
    (Role.UNUSED, "", "scream-like|speech|human_voice|silence|room silence"),
    (Role.SCREAM, "emogator", "fear|distress|pain"),
    (Role.LOOK_ALIKE, "", "vocal burst|baby|laugh|cough|sneez|yawn|sigh|panting|throat|nose"),
    (Role.LOOK_ALIKE, "", "lip-|teeth|tongue|dude miaowing|singing"),
    (Role.SCREAM, "", "scream|crying|sob|moan|groan"),
    (Role.IMPULSE, "", "impulse response"),
    (Role.BACKGROUND, "", ""),
)
"""The same of recordings that are no speech; words begin where one of the alternatives does."""


def role_of(label: str, *, corpus: str, kind: str) -> Role:
    """Look up a row of a manifest: its label, and the corpus's own word for what it is."""
    table = _SOUNDS if label == "sound" else _SPEECH
    return next(
        role
        for role, corpora, words in table
        if (not corpora or re.fullmatch(corpora, corpus))
        and (not words or re.search(rf"\b({words})", kind.lower()))
    )


def answer_of(label: str, role: Role) -> Answer:
    """What a model should say of it."""
    if role is Role.SCREAM:
        return Answer.SCREAM
    return Answer(label) if label in list(Label) else Answer.OTHER
