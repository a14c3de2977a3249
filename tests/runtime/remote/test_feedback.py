from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from support.clock import SetClock
from support.decisions import START

from vser_stream.adapters.storage.feedback import FEEDBACK, FeedbackFile
from vser_stream.core.wire.commands import Feedback
from vser_stream.errors import CommandError, OutboxError
from vser_stream.runtime.delivery.disk_thread import Disk
from vser_stream.runtime.remote.feedback import FeedbackKeeper


def said(**more: object) -> Feedback:
    return Feedback.model_validate({"alert_id": "a1", "verdict": "true", "by": "Ana", **more})


async def test_what_somebody_thinks_is_on_the_disk_with_when_and_of_which_source(tmp_path: Path) -> None:
    path, clock = tmp_path / "feedback.jsonl", SetClock()
    clock.forward(5.0)
    keeper = FeedbackKeeper(FeedbackFile(path), Disk(), clock=clock)
    await keeper.keep("bed", said(note="it was the television"))
    await keeper.keep("hall", said(verdict="false"))
    first, second = map(json.loads, path.read_text().splitlines())
    assert datetime.fromisoformat(first.pop("at")).timestamp() == START + 5.0
    assert first == {
        "schema": FEEDBACK,
        "source": "bed",
        "alert_id": "a1",
        "verdict": "true",
        "by": "Ana",
        "note": "it was the television",
    }
    assert (second["source"], second["verdict"], second["note"]) == ("hall", "false", None)


async def test_what_cannot_be_kept_is_told_to_who_said_it(tmp_path: Path) -> None:
    keeper = FeedbackKeeper(FeedbackFile(tmp_path), Disk(), clock=SetClock())  # a folder is no file
    with pytest.raises(CommandError, match="cannot be stored"):
        await keeper.keep("bed", said())


async def test_a_disk_that_does_not_answer_is_told_as_one_line() -> None:
    class Hanging(FeedbackFile):
        def append(self, record: dict[str, object]) -> None:
            del record
            raise OutboxError("the disk does not answer; check it for errors")

    keeper = FeedbackKeeper(Hanging(Path("unused")), Disk(), clock=SetClock())
    with pytest.raises(CommandError) as caught:
        await keeper.keep("bed", said())
    assert str(caught.value) == "feedback cannot be stored: the disk does not answer; check it for errors"
