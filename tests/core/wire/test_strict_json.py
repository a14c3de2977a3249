import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.wire.strict_json import loads

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_what_json_can_say_is_read_as_it_was_said(value: object) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        '{"at": NaN}',
        "[1, [2, Infinity]]",
        '{"a": [1e400]}',
    ],
)
def test_a_number_that_is_none_or_infinite_is_refused_wherever_it_stands(text: str) -> None:
    json.loads(text)  # as the standard library takes it
    with pytest.raises(ValueError, match="is no number"):
        loads(text)


def test_an_endless_number_is_told_by_its_beginning_only() -> None:
    with pytest.raises(ValueError, match="is no number") as caught:
        loads("9" * 400 + ".5")
    assert str(caught.value) == "9" * 20 + " is no number"


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_what_is_nested_too_deep_is_a_wrong_value_and_no_other_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"nested too deep|Expecting|delimiter"):
        loads(text)


@pytest.mark.parametrize("text", ["", "{", "calm", '{"a": 1,}', b"\xff\xfe\x00", "1 2"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        loads(text)
