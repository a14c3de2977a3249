from __future__ import annotations

import logging

import pytest

from vser_stream.errors import CaptureError, ConfigError, OutageError, ReasonerError, VserError
from vser_stream.runtime.containment import contained


def test_what_goes_well_is_returned_as_it_is() -> None:
    made = object()
    assert contained(lambda: made, source="bed") is made


@pytest.mark.parametrize(
    "bug", [KeyError("secret"), ZeroDivisionError(), MemoryError(), AssertionError("no")]
)
def test_a_bug_is_an_outage_to_all_others_and_a_traceback_in_the_log(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        raise bug

    with pytest.raises(CaptureError) as caught:
        contained(work, source="bed")
    assert type(bug).__name__ in str(caught.value)
    assert "secret" not in str(caught.value), "what a bug says goes nowhere but into the log"
    assert caught.value.__cause__ is bug
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "internal error: source=bed")
    assert record.exc_info is not None
    assert record.exc_info[1] is bug


def test_whose_outage_it_is_can_be_said() -> None:
    with pytest.raises(ReasonerError):
        contained(lambda: 1 // 0, source="reasoner", outage=ReasonerError)


@pytest.mark.parametrize("expected", [ConfigError("wrong"), CaptureError("away"), OutageError("later")])
def test_what_is_raised_on_purpose_goes_on_and_no_log_is_written(
    expected: VserError, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        raise expected

    with pytest.raises(type(expected)) as caught:
        contained(work, source="bed")
    assert caught.value is expected
    assert caplog.records == []


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_process_is_not_held_up(ends: type[BaseException]) -> None:
    def work() -> None:
        raise ends

    with pytest.raises(ends):
        contained(work, source="bed")
