"""What chat models were seen to put around the object they are asked for."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.reason.answer import label_in, object_in, rationale_in
from vser_stream.errors import ReasonerError
from vser_stream.values import Label

WHOLE = '{"label": "panic", "rationale": "Pitch is high."}'


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        f"```json\n{WHOLE}\n```",
        f"Here is the answer:\n{WHOLE}\nI hope this helps.",
        f"<think>Not calm {{really}}.\nMaybe {{}}</think>\n\n{WHOLE}",
        f'<think>{{"label": "calm"}}, or is it?</think>{WHOLE}',
        f"no opening</think> {WHOLE}",
        f"[{WHOLE}]",
        f"{WHOLE} {WHOLE}",
        '{"label": "calm|angry|panic"} was asked for: ' + WHOLE,
        '{"Label": "PANIC", "Rationale": "Pitch is high."}',
        '{"label": " Panic ", "rationale": "Pitch\nis  high.", "confidence": 0.9}',
    ],
)
def test_the_object_is_found_in_whatever_is_around_it(answer: str) -> None:
    found = object_in(answer)
    assert (label_in(found), rationale_in(found)) == (Label.PANIC, "Pitch is high.")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"label": "calm"} or {"label": "panic"}', "they differ"),
        ('{"label": "calm|angry|panic"}', "its label is none of"),
        ('<think>I would say {"label": "panic"}', "in the middle of a thought"),
        ('{"label": ["panic"]}', "not the JSON object"),
        ('{"label": true}', "not the JSON object"),
        ("I think it is panic.", "not the JSON object"),
        ('{"label":' * 300, "not the JSON object"),
        ("{" * 3000, "not the JSON object"),
        ("x" * 100_000, "100000 characters long"),
        ('{"n": ' + "9" * 2900 + "}", "not the JSON object"),
    ],
)
def test_where_no_single_object_is_there_is_no_answer(answer: str, says: str) -> None:
    with pytest.raises(ReasonerError, match=says):
        label_in(object_in(answer))


@pytest.mark.parametrize("said", ["", " ", "x" * 901, "a\x00b", "\ud800", "\u202epanic", 7, None, ["Pitch"]])
def test_what_cannot_be_printed_is_no_rationale(said: object) -> None:
    with pytest.raises(ReasonerError, match="its rationale is no sentence"):
        rationale_in(object_in(json.dumps({"label": "panic", "rationale": said})))


@given(st.text() | st.text(alphabet='{}[]"label: panic,\\ud8\n0e9<think/>', max_size=300))
def test_whatever_is_said_is_an_answer_or_one_clear_error(said: str) -> None:
    with contextlib.suppress(ReasonerError):
        assert label_in(object_in(said)) in Label
