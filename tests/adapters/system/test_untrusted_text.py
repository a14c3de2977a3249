import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.adapters.system.untrusted_text import parse_json, printable


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"NaN",
        b"[-Infinity]",
        b"1e999",
        b"9" * 5000,
        b"",
        b"{",
        b"\xff\xfe",
    ],
)
def test_what_is_no_document_of_numbers_is_one_kind_of_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_a_document_is_read_as_it_is() -> None:
    assert parse_json('{"a": [1, -2.5, "x", null, true]}') == {"a": [1, -2.5, "x", None, True]}


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert printable("Phòng ngủ: \x1b[31mred") == "Phòng ngủ: \ufffd[31mred"
