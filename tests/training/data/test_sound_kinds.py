from __future__ import annotations

import pytest

from vser_stream.training.data.sound_kinds import OUTSIDE, Answer, Role, answer_of, role_of
from vser_stream.values import ANSWERS, LABELS


def test_answers_are_in_the_order_of_a_models() -> None:
    assert tuple(Answer) == ANSWERS
    assert [OUTSIDE[Answer(label)] for label in LABELS] == list(LABELS)


@pytest.mark.parametrize(
    ("corpus", "kind", "role"),
    [
        ("emogator", "vocal burst: Fear", Role.SCREAM),
        ("emogator", "vocal burst: Amusement", Role.LOOK_ALIKE),
        ("emogator", "vocal burst: Surprise (Positive)", Role.LOOK_ALIKE),
        ("emogator", "vocal burst: Surprise (Negative)", Role.UNUSED),
        ("emogator", "vocal burst: Sadness", Role.UNUSED),
        ("deeply-nonverbal", "moaning", Role.SCREAM),
        ("deeply-nonverbal", "crying", Role.SCREAM),
        ("deeply-nonverbal", "panting", Role.LOOK_ALIKE),
        ("donateacry", "baby cry (belly pain)", Role.LOOK_ALIKE),
        ("caneuro-examples", "music (scream-like)", Role.UNUSED),
        ("vi-appliances", "household machine: hair clipper", Role.BACKGROUND),
        ("essentia-audio", "freesound single sound", Role.BACKGROUND),
        ("web-audio-samples", "impulse response", Role.IMPULSE),
        ("mine", "a woman screaming", Role.SCREAM),
        ("mine", "slaughterhouse", Role.BACKGROUND),
        ("mine", "", Role.BACKGROUND),
    ],
)
def test_a_sound_is_what_its_own_label_says(corpus: str, kind: str, role: Role) -> None:
    assert role_of("sound", corpus=corpus, kind=kind) is role
    assert answer_of("sound", role) is (Answer.SCREAM if role is Role.SCREAM else Answer.OTHER)


@pytest.mark.parametrize(
    ("label", "corpus", "kind", "role", "answer"),
    [
        ("panic", "mine", "fear", Role.VOICE, Answer.PANIC),
        ("other", "mine", "happy", Role.VOICE, Answer.OTHER),
        ("calm", "mine", "natural: audiobook", Role.NATURAL, Answer.CALM),
        ("other", "mine", "natural: podcast/conversation", Role.NATURAL, Answer.OTHER),
        ("calm", "vi-read", "unlabelled read speech", Role.NATURAL, Answer.CALM),
        ("calm", "baved", "neutral, everyday", Role.NATURAL, Answer.CALM),
        ("other", "baved", "high emotion, any valence", Role.LIVELY, Answer.OTHER),
    ],
)
def test_speech_is_of_those_who_live_there_unless_it_is_natural(
    label: str, corpus: str, kind: str, role: Role, answer: Answer
) -> None:
    assert role_of(label, corpus=corpus, kind=kind) is role
    assert answer_of(label, role) is answer
