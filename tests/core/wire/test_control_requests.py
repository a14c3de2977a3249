from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vser_stream.core.wire.control_requests import (
    CALIBRATE_LONGEST,
    Calibrate,
    Forget,
    Purge,
    Reload,
    Request,
    parse,
)

REQUESTS = [
    Calibrate(source="bed", seconds=30.0),
    Forget(source="bed"),
    Purge(before=1_700_000_000.0),
    Purge(before=None),
    Reload(),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_what_one_side_writes_the_other_reads(request_: Request) -> None:
    assert parse(request_.model_dump_json().encode()) == request_


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"do": "calibrate", "source": "bed", "seconds": 5}', Calibrate(source="bed", seconds=5.0)),
        (b'{"do": "forget", "source": "bed"}', Forget(source="bed")),
        (b'{"do": "purge", "before": null}', Purge(before=None)),
        (b'{"do": "reload"}', Reload()),
    ],
)
def test_each_request_has_its_word(line: bytes, request_: Request) -> None:
    assert parse(line) == request_


@pytest.mark.parametrize(
    "document",
    [
        {"do": "shutdown"},
        {"source": "bed"},
        {"do": "calibrate", "source": "bed"},
        {"do": "calibrate", "seconds": 30},
        {"do": "calibrate", "source": "bed", "seconds": 4.9},
        {"do": "calibrate", "source": "bed", "seconds": CALIBRATE_LONGEST + 0.1},
        {"do": "calibrate", "source": "b" * 65, "seconds": 30},
        {"do": "calibrate", "source": "bed", "seconds": 30, "loud": True},
        {"do": "forget", "source": "b" * 65},
        {"do": "forget", "source": None},
        {"do": "purge"},
        {"do": "purge", "before": "yesterday"},
        {"do": "reload", "source": "bed"},
        ["reload"],
        "reload",
        None,
    ],
)
def test_what_nobody_may_ask_is_refused(document: object) -> None:
    with pytest.raises(ValueError):
        parse(json.dumps(document).encode())


@pytest.mark.parametrize("before", ["NaN", "Infinity", "-Infinity"])
def test_nothing_is_deleted_before_a_time_that_is_none(before: str) -> None:
    with pytest.raises(ValueError):
        parse(f'{{"do": "purge", "before": {before}}}'.encode())


@given(st.binary(max_size=200))
def test_no_line_whatever_ends_in_anything_but_a_request_or_a_refusal(line: bytes) -> None:
    try:
        parse(line)
    except ValueError:
        return
    assert line.strip().startswith(b"{")


def test_a_request_cannot_be_changed_on_its_way() -> None:
    request = Forget(source="bed")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(request, "source", "kitchen")  # noqa: B010 - mypy would not let it be written plainly
