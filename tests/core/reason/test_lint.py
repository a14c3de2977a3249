from typing import Any

import pytest
from support.cases import BOOK

from vser_stream.core.reason.lint import failures, problems
from vser_stream.core.reason.rules import Rule, RuleBook

RULE = BOOK.rule("high-dark-voice")


def book(*changes: dict[str, Any]) -> RuleBook:
    rules = tuple(Rule.model_validate(RULE.model_dump() | keys) for keys in changes)
    return BOOK.model_copy(update={"rules": rules})


def pitch(**limits: Any) -> dict[str, Any]:
    return {"cue": "pitch level", **limits}


def test_the_shipped_rules_have_no_problem_and_do_what_their_examples_say() -> None:
    assert (problems(BOOK), failures(BOOK)) == ((), ())
    assert {rule.label for rule in BOOK.rules} == {"calm", "angry", "panic"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([{}, {"when": [pitch(z_at_least=1.0)]}], ["rule high-dark-voice: there are 2 of that id"]),
        ([{}, {"id": "other-rule"}],
         ["rule other-rule: repeats rule high-dark-voice, which has the same conditions"]),
        ([{}, {"id": "other-rule", "label": "angry", "against": "panic"}],
         ["rule other-rule: contradicts rule high-dark-voice, which has the same conditions"]),
        ([{"when": [pitch(z_at_least=7.0)]}],
         ["rule high-dark-voice: no pitch level can ever meet its condition",
          "rule high-dark-voice: its conditions exclude each other, so it can never fire"]),
        ([{"when": [pitch(z_at_most=6.0)]}], ["rule high-dark-voice: any pitch level meets its condition"]),
        ([{"when": [pitch(z_at_least=2.0), pitch(z_at_most=1.0)]}],
         ["rule high-dark-voice: its conditions exclude each other, so it can never fire"]),
        ([{"when": [pitch(z_at_least=2.0), pitch(words=["near"])]}],
         ["rule high-dark-voice: its conditions exclude each other, so it can never fire"]),
        ([{"when": [pitch(value_at_least=400.0), pitch(value_at_most=300.0)]}],
         ["rule high-dark-voice: its conditions exclude each other, so it can never fire"]),
        ([{"when": [pitch(z_at_least=2.0), pitch(z_at_most=1.0)], "least": 1}], []),
        ([{"when": [pitch(z_at_least=1.234, z_at_most=1.235)]}], []),
        ([{"when": [pitch(value_at_least=400.0)]}], []),
    ],
)  # fmt: skip
def test_rules_that_repeat_contradict_or_never_fire_are_found(
    changes: list[dict[str, Any]], found: list[str]
) -> None:
    assert list(problems(book(*changes))) == found


def test_a_rule_that_does_not_do_what_its_example_says_is_named() -> None:
    assert failures(book({"fires": RULE.silent, "silent": RULE.fires})) == (
        "rule high-dark-voice: does not fire on its example 'fires'",
        "rule high-dark-voice: fires on its example 'silent'",
    )
