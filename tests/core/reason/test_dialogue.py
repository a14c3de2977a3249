from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, case, cases, cue

from vser_stream.core.reason import grammar, prompt
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.dialogue import General, Specialist, Talk
from vser_stream.core.reason.language import Language
from vser_stream.errors import ReasonerError
from vser_stream.values import LABELS, Case, Label

CASE = case(cue("pitch level", 5.1), cue("brightness", -0.2), cue("jitter", 2.4), cue("pauses", -1.6))
PITCH_ALONE = case(cue("pitch level", 5.1), cue("pitch variability", 3.0))
LABELLED = st.sampled_from(list(Label))
SPOKEN = st.sampled_from(list(Language))


@pytest.mark.parametrize("talk", [Specialist(), General(Chat(BOOK))], ids=["bundled", "chat"])
def test_labels_are_told_apart_by_the_beginning_of_their_words(talk: Talk) -> None:
    assert len(talk.words) == len(LABELS)
    assert len({word.strip()[0] for word in talk.words}) == len(LABELS)
    assert [word.strip() for word in talk.words] == [label.value for label in LABELS]


@given(cases(), LABELLED, SPOKEN)
def test_a_chat_answer_read_from_its_pieces_is_the_rationale_that_was_written(
    of: Case, label: Label, language: Language
) -> None:
    general = General(Chat(BOOK, language))
    rationale = 'High, and "dark" or so'
    written = json.dumps(rationale)[1:] + "}"
    assert general.finish(written, of, label) == rationale
    whole = general.answer_start + general.opening(of, label) + written
    assert json.loads(whole) == {"label": label.value, "rationale": rationale}


@pytest.mark.parametrize("written", ["", 'High"', 'High", "label": "calm"', '"}', '", "more": 1}'])
def test_a_chat_answer_that_is_cut_or_empty_is_refused(written: str) -> None:
    with pytest.raises(ReasonerError):
        General(Chat(BOOK)).finish(written, CASE, Label.PANIC)


def test_a_chat_model_is_told_the_task_once_and_the_case_each_time() -> None:
    chat = Chat(BOOK, Language.VI)
    general = General(chat)
    assert not general.plain
    assert general.prefix == chat.system
    assert "Vietnamese" in general.prefix
    assert general.evidence(CASE) == chat.evidence(CASE)
    assert general.grammar(CASE, Label.PANIC) == chat.grammar(CASE, Label.PANIC)
    assert general.grammar(CASE, Label.PANIC) != general.grammar(CASE, Label.CALM)


def test_the_bundled_model_is_told_all_in_the_words_it_was_trained_on() -> None:
    specialist = Specialist(Language.VI)
    assert specialist.plain
    assert specialist.prefix in prompt.TOKENS
    assert set(specialist.words) <= set(prompt.TOKENS)
    assert specialist.answer_start == "", "the evidence itself ends where the label follows"
    assert specialist.evidence(CASE).endswith("verdict:")
    assert specialist.opening(CASE, Label.PANIC).startswith(specialist.words[LABELS.index(Label.PANIC)])


@pytest.mark.parametrize("language", Language)
def test_the_bundled_model_writes_in_its_language(language: Language) -> None:
    specialist = Specialist(language)
    assert specialist.opening(CASE, Label.PANIC).endswith(prompt.BECAUSE[language])
    assert specialist.grammar(CASE, Label.PANIC) == grammar.grammar(CASE, Label.PANIC, language)
    other = Specialist(next(one for one in Language if one is not language))
    assert specialist.grammar(CASE, Label.PANIC) != other.grammar(CASE, Label.PANIC)


def test_what_the_bundled_model_wrote_gets_the_measured_figures() -> None:
    told = Specialist().finish(" pitch level +5.1 far above the usual", CASE, Label.PANIC)
    assert told == "Pitch level 220 Hz (+5.1 SD) far above the usual"
    assert "(+5,1 SD)" in Specialist(Language.VI).finish(" cao độ +5.1", CASE, Label.PANIC)


def test_where_all_cues_are_of_one_kind_the_bundled_model_is_not_asked_to_explain() -> None:
    assert not prompt.is_explainable(PITCH_ALONE, Label.PANIC)
    with pytest.raises(ReasonerError, match="one kind only"):
        Specialist().grammar(PITCH_ALONE, Label.PANIC)


@given(cases(), LABELLED, SPOKEN)
def test_whatever_the_case_there_is_a_grammar_or_one_clear_error(
    of: Case, label: Label, language: Language
) -> None:
    try:
        rules = Specialist(language).grammar(of, label)
    except ReasonerError:
        assert not prompt.is_explainable(of, label)
    else:
        assert rules.startswith("root ::=")
