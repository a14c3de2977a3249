import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.cases import BOOK, case, cases, cue

from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.rules import NO_RULES
from vser_stream.core.reason.verify import check
from vser_stream.errors import ReasonerError
from vser_stream.values import Case, Label, Probabilities

CASE = case(
    cue("pitch level", 5.1),
    cue("brightness", -0.2),
    cue("intensity", 0.3),
    cue("pauses", -1.6),
    second=Probabilities(0.1, 0.2, 0.7),
)


def sentences(grammar: str) -> list[str]:
    """Sentences of every shape a grammar lets through, with each claim and each rule at least once."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    of = {name: re.findall(r'"([^"]*)"', body) for name, body in rules.items() if name != "root"}
    orders = re.findall(r'k\d(?: "; " k\d)*', rules["root"])
    before_rule = re.search(r'\) "(; [^"]+ )" rule', rules["root"])
    return [
        "; ".join(of[kind][turn % len(of[kind])] for kind in order.split(' "; " '))
        + (before_rule[1] + of["rule"][turn % len(of["rule"])] if before_rule else "")
        + "."
        for order in orders
        for turn in range(max(map(len, of.values())))
    ]


def test_the_fixed_message_holds_the_task_and_every_rule_and_no_case() -> None:
    system = Chat(BOOK).system
    assert all(f"{rule.id} -> {rule.label} {rule.weight:g}: {rule.text.en}." in system for rule in BOOK.rules)
    assert Chat(NO_RULES).system.count("->") == 0
    assert "Vietnamese" in Chat(BOOK, Language.VI).system


def test_the_evidence_is_short_and_says_what_was_measured() -> None:
    assert Chat(BOOK).evidence(CASE) == (
        "first calm 10 angry 50 panic 40\n"
        "second calm 10 angry 20 panic 70\n"
        "pitch level +5\n"
        "pauses -2\n"
        "near (2): brightness, intensity\n"
        "fired: high-dark-voice, high-soft-voice\n"
        "before: none\n"
        "snr 21"
    )


@given(cases())
def test_nothing_but_known_names_and_figures_reaches_the_model(of: Case) -> None:
    """Names of sources and sites have no way in: a case does not hold them."""
    text = Chat(BOOK).evidence(of)
    longest_first = sorted((one.name for one in of.cues), key=len, reverse=True)
    for known in (*(rule.id for rule in BOOK.rules), *longest_first, *Label):
        text = text.replace(known, "")
    assert re.fullmatch(r"(?:first|second|near|fired|before|none|snr|[\s\d+\-(),:])*", text)


@settings(max_examples=25)
@given(cases(), st.sampled_from(list(Label)), st.sampled_from(list(Language)))
def test_every_sentence_the_grammar_lets_through_is_true(of: Case, label: Label, language: Language) -> None:
    found = [check(said, of, label, book=BOOK) for said in sentences(Chat(BOOK, language).grammar(of, label))]
    assert {fault for one in found for fault in one.faults} == set()
    assert {one.wrong for one in found} == {0}


def test_the_grammar_lets_only_rules_through_that_fired_for_the_label() -> None:
    lines = Chat(BOOK).grammar(CASE, Label.PANIC).splitlines()
    assert lines[-1] == 'rule ::= "high-dark-voice" | "high-soft-voice"'
    assert "rule" not in Chat(BOOK).grammar(CASE, Label.CALM)


def test_the_pieces_of_an_answer_make_the_object_that_is_parsed() -> None:
    chat = Chat(BOOK)
    for said in sentences(chat.grammar(CASE, Label.PANIC)):
        whole = f'{chat.answer_start}{chat.rationale_start(Label.PANIC)}{said}"}}'
        assert chat.parse(whole) == (Label.PANIC, said)
        Draft202012Validator(chat.schema).validate({"label": "panic", "rationale": said})


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "panic",
        '{"label": "panic"}',
        '{"label": "happy", "rationale": "It is."}',
        '{"label": "panic", "rationale": ""}',
        '{"label": "panic", "rationale": ["It is."]}',
        '{"label": "panic", "rationale": "\\ud800 is well above the usual."}',
        '{"label": "panic", "rationale": "It',
        '{"label": "panic", "rationale": "' + "x" * 901 + '"}',
        '["panic", "It is."]',
    ],
)
def test_an_answer_that_is_not_the_object_asked_for_is_refused(answer: str) -> None:
    with pytest.raises(ReasonerError, match="not the JSON object asked for"):
        Chat(BOOK).parse(answer)
