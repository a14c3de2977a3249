"""What an earlier release learned of a voice is taken over once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vser_stream.adapters.storage.baselines import keep, take_over
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.room_adaptation import Room, lived, settled
from vser_stream.core.alarm.state import AlarmState
from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.wire.numbering import Story
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.errors import OutboxError
from vser_stream.values import Label, Memory

ONES = np.ones(len(FEATURES), np.float32)
LEARNED = Baseline.from_prior(Prior(ONES, ONES, ONES)).updated(2 * ONES)


@pytest.fixture
def outbox(tmp_path: Path) -> SqliteOutbox:
    return SqliteOutbox(tmp_path / "outbox.db")


def written(folder: Path, source: str, *, features: str = "f") -> Path:
    """As 0.1.0 wrote it."""
    path = folder / f"baseline-{source}.json"
    path.write_text(json.dumps({"features": features, "baseline": LEARNED.to_lists()}))
    return path


def kept(outbox: SqliteOutbox, source: str) -> Remembered:
    document = outbox.memory(source)
    assert document is not None
    return recall(document, features="f")


def test_a_file_goes_into_the_row_of_its_source_beside_what_is_there(
    tmp_path: Path, outbox: SqliteOutbox
) -> None:
    story = Story(seq=7, alert_id="a", since=1.0)
    outbox.commit((), memory=Memory("bed", remember(Remembered(story=story), features="f")))
    files = [written(tmp_path, "bed"), written(tmp_path, "living-room")]
    take_over(tmp_path, outbox, features="f")
    for source in ("bed", "living-room"):
        baseline = kept(outbox, source).baseline
        assert baseline is not None
        assert baseline.to_lists() == LEARNED.to_lists()
    assert kept(outbox, "bed").story == story
    assert not any(path.exists() for path in files)
    take_over(tmp_path, outbox, features="f")
    assert kept(outbox, "bed").story == story


def test_one_that_cannot_be_used_stays_and_is_told(
    tmp_path: Path, outbox: SqliteOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    other = written(tmp_path, "bed", features="other")
    torn = tmp_path / "baseline-hall.json"
    torn.write_text('{"features": "f", "baseline": {')
    take_over(tmp_path, outbox, features="f")
    assert outbox.memories() == []
    assert other.exists()
    assert torn.exists()
    assert caplog.text.count("please calibrate again") == 2


def test_one_the_disk_does_not_keep_is_not_lost(tmp_path: Path) -> None:
    path = written(tmp_path, "bed")
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(OutboxError):
        take_over(tmp_path, SqliteOutbox(tmp_path / "outbox.db"), features="f")
    assert path.exists()


def test_what_is_forgotten_of_a_source_is_its_room_too_and_what_is_taught_leaves_it(
    outbox: SqliteOutbox,
) -> None:
    curve = Curve(per_day=(4.0, 1.0), distress=(2.0, 4.0))
    room = lived(settled(Room(), AlarmConfig(), {Label.PANIC: curve}), 1.0, present=False)
    story = Story(seq=7, alert_id="a", since=1.0)
    known = Remembered(AlarmState(room=room), story)
    outbox.commit((), memory=Memory("bed", remember(known, features="f")))
    assert not keep(outbox, "bed", LEARNED, features="f")
    assert kept(outbox, "bed").alarm.room.heard == 1.0
    assert keep(outbox, "bed", None, features="f")
    assert (kept(outbox, "bed").alarm.room, kept(outbox, "bed").story) == (Room(), story)
