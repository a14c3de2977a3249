from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.decisions import START, decision

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import AlarmConfig, PanicConfig
from vser_stream.core.alarm.state import AlarmState
from vser_stream.core.alarm.state_machine import step
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.wire.source_snapshot import Remembered
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.source.archive import KeptArchive
from vser_stream.values import Label, Memory

ONES = np.ones(len(FEATURES), np.float32)
CONFIG = AlarmConfig(panic=PanicConfig(fast=0.9))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    box = SqliteOutbox(tmp_path / "outbox.db")
    yield box
    box.close()


def known() -> Remembered:
    state, _ = step(AlarmState(), decision(at=1.0, panic=0.95, calm=0.05), START + 1, config=CONFIG)
    baseline = Baseline.from_prior(Prior(ONES, ONES, ONES)).updated(2 * ONES)
    return Remembered(alarm=state, baseline=baseline)


async def keep(outbox: SqliteOutbox, document: bytes, source: str = "bed") -> Keeper:
    keeper = Keeper(outbox)
    await keeper.commit((), memory=Memory(source, document))
    return keeper


async def test_what_a_source_knew_comes_back_after_a_restart(outbox: SqliteOutbox) -> None:
    await keep(outbox, KeptArchive(Keeper(outbox), features="f").document(known()))
    found = await KeptArchive(Keeper(outbox), features="f").recall("bed")
    assert found is not None
    assert found.alarm.level is Label.PANIC
    assert found.baseline is not None
    assert found.baseline.count == 1.0


async def test_of_a_source_nobody_has_heard_nothing_is_known(outbox: SqliteOutbox) -> None:
    found = await KeptArchive(Keeper(outbox), features="f").recall("bed")
    assert found is not None
    assert (found.alarm.alarm, found.baseline, found.outdated) == (None, None, False)


async def test_a_calm_voice_of_other_features_is_left_out_and_its_alarm_is_not(
    outbox: SqliteOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = await keep(outbox, KeptArchive(Keeper(outbox), features="f").document(known()))
    found = await KeptArchive(keeper, features="g").recall("bed")
    assert found is not None
    assert found.outdated
    assert found.baseline is None
    assert found.alarm.level is Label.PANIC
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "calibrate again: source=bed" in record.getMessage()


async def test_what_makes_no_sense_is_set_aside_and_the_source_starts_afresh(
    outbox: SqliteOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = await keep(outbox, b'{"schema": "nonsense"}')
    found = await KeptArchive(keeper, features="f").recall("bed")
    assert found is not None
    assert found.alarm.alarm is None
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert all("source=bed" in record.getMessage() for record in caplog.records)
    assert not await keeper.recall("bed"), "it is not complained of again"
