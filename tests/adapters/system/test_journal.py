"""The log as systemd's journal takes it, and as people read it in a terminal."""

import ast
import io
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vser_stream.adapters.system import journal
from vser_stream.adapters.system.journal import logging_to

PACKAGE = Path(journal.__file__).parents[2]
_log = logging.getLogger("vser_stream.somewhere")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    logging.getLogger("vser_stream").setLevel(logging.NOTSET)


def written(folder: Path, *, to_journal: bool, verbose: bool = False) -> list[str]:
    """Lines of the log of one thing of each kind."""
    path = folder / "log"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        address = f"{status.st_dev}:{status.st_ino}" if to_journal else f"{status.st_dev}:1"
        with logging_to(stream, verbose=verbose, environ={"JOURNAL_STREAM": address}):
            logging.getLogger("aiomqtt").info("a library is chatty")
            _log.debug("an utterance")
            _log.info("all is well again")
            _log.warning("something is wrong: with=%s", "it")
            try:
                int("no number")
            except ValueError:
                _log.exception("a bug\nin two lines")
    return path.read_text().splitlines()


def test_each_line_of_the_journal_has_a_priority_and_no_time_of_its_own(tmp_path: Path) -> None:
    lines = written(tmp_path, to_journal=True)
    assert lines[:2] == ["<6>all is well again", "<4>something is wrong: with=it"]
    assert lines[2:5] == ["<3>a bug", "<3>in two lines", "<3>Traceback (most recent call last):"]
    assert lines[-1].startswith("<3>ValueError: ")
    assert all(line.startswith("<3>") for line in lines[2:])


def test_a_terminal_gets_times_and_levels(tmp_path: Path) -> None:
    first = written(tmp_path, to_journal=False)[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO all is well again", first)


def test_what_is_heard_is_told_only_where_it_was_asked_for(tmp_path: Path) -> None:
    assert written(tmp_path, to_journal=True, verbose=True)[0] == "<7>an utterance"


class Stuck(io.StringIO):
    """A journal that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait()
        return super().write(text)


def test_a_journal_that_hangs_holds_up_nobody_and_what_was_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "MOST", 2)
    stream = Stuck()
    with logging_to(stream, environ={}):
        for number in range(20):
            _log.info("line %d", number)  # with a writer on this thread the test would end here
        stream.free.set()
    lost = re.search(r"count=(\d+)", stream.getvalue())
    assert lost
    assert int(lost[1]) + stream.getvalue().count("INFO line") == 20


def test_no_fact_is_given_where_no_format_prints_it() -> None:
    """``extra=`` reaches the record, but not the line."""
    calls = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).lower() in {"_log", "logging"}
        and any(keyword.arg == "extra" for keyword in node.keywords)
    ]
    assert calls == []
