import json
from pathlib import Path

import pytest

from vser_stream.adapters.storage.feedback import LARGEST, FeedbackFile
from vser_stream.errors import CommandError


def test_each_record_is_a_line_nobody_else_may_read(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    for verdict in ("true", "false"):
        FeedbackFile(path).append({"alert_id": "a1", "verdict": verdict})
    assert [json.loads(line)["verdict"] for line in path.read_text().splitlines()] == ["true", "false"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="feedback cannot be stored"):
        FeedbackFile(tmp_path / "none" / "feedback.jsonl").append({})
    full = tmp_path / "full"
    full.write_bytes(b"x" * LARGEST)
    with pytest.raises(CommandError, match="too much feedback"):
        FeedbackFile(full).append({})
    assert full.stat().st_size == LARGEST
