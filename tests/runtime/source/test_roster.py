"""A source whose configuration changes: its next listener goes on where the earlier one ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import numpy as np
from support.audio import voice
from support.listened import Calm, Played, listener_of, pipeline_of, shared_by

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.schema import SourceConfig
from vser_stream.core.wire.source_snapshot import Remembered, recall
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.source.roster import Roster
from vser_stream.values import RATE

SPEECH = np.concatenate([np.zeros(RATE // 2, np.int16), voice(7.0)])
"""One utterance, which is not over when it is interrupted."""


class Nobody:
    async def forget(self, source: str) -> None:
        raise AssertionError(source)


async def test_the_next_listener_knows_what_the_earlier_one_learned_last_and_what_was_asked_meanwhile(
    tmp_path: Path,
) -> None:
    with SqliteOutbox(tmp_path / "outbox.db") as outbox, ThreadPoolExecutor(1) as scorer:
        keeper, made = Keeper(outbox), list[Listener]()

        async def recalling() -> Remembered:
            document = await keeper.recall("bed")
            return recall(document, features="f") if document else Remembered()

        def make(_: SourceConfig) -> Listener:
            shared = shared_by(keeper, scorer=scorer, recall=recalling)
            made.append(listener_of(pipeline_of(Calm()), Played(SPEECH), shared))
            return made[-1]

        roster = Roster(make, announcements=Nobody())
        roster.apply([SourceConfig(name="bed", device="one")])
        running = asyncio.create_task(roster.run())
        (first,) = made
        async with aclosing(first.listen_in()) as blocks:
            async for block in blocks:
                if block.end > 3 * RATE:
                    break
        assert first.health().baseline_utterances == 0
        roster.apply([SourceConfig(name="bed", device="other")])
        _, second = made
        assert not second.begun
        await second.pause(for_s=600, by="Ana")
        assert (first.health().baseline_utterances, second.health().baseline_utterances) == (1, 1)
        assert second.state().paused is not None
        roster.stop()
        await running
        document = outbox.memory("bed")
    assert document is not None
    kept = recall(document, features="f")
    assert kept.alarm.pause is not None
    assert kept.baseline is not None
