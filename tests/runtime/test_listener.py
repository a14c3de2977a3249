"""What a listener says of its source: health, conditions, and bugs that stay where they are."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.prometheus import Metrics
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.core.alarm_memory import Remembered
from vser_stream.core.baseline import Prior
from vser_stream.core.capture_state import Patience
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.messages import Versions
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.report import Reporter
from vser_stream.ports import Scorer
from vser_stream.runtime.listener import Listener
from vser_stream.values import RATE, Block, Memory, Message, Pcm, Probabilities, Record, Vector

PITCH = SwiftF0Tracker()
START = 1_700_000_000.0
QUICK = Patience(first_wait=0.05, longest_wait=0.05)


class Played:
    """A recording at each opening, 100 ms at a time, and then nothing until stopped."""

    def __init__(self, pcm: Pcm) -> None:
        self._pcm = pcm
        self._pause = threading.Event()

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        for at in range(0, len(self._pcm), RATE // 10):
            yield Block(self._pcm[at : at + RATE // 10].copy(), start=at, heard_at=START + at / RATE)
            self._pause.wait(0.01)  # the inbox holds 10 s
        while not stopped():
            self._pause.wait(0.01)


class Calm:
    def score(self, vector: Vector) -> Probabilities:
        assert len(vector)
        return Probabilities(calm=0.9, angry=0.06, panic=0.04)


class Broken:
    def score(self, vector: Vector) -> Probabilities:
        raise ZeroDivisionError(len(vector))


class Told:
    """The health documents of a listener."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        del memory, records
        for message in messages:
            if message.topic.endswith("/health"):
                self.documents.append(json.loads(message.payload))
                self._news.set()

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(20.0):
            while True:
                for document in self.documents:
                    if condition(document):
                        return document
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(pcm: Pcm, scorer: Scorer) -> AsyncIterator[Told]:
    told, ones = Told(), np.ones(len(FEATURES), np.float32)
    judge = Judge(scorer, Prior(location=ones, scale=ones, weight=ones), escalate_below=0.6)

    async def nothing() -> None: ...

    async def nothing_yet() -> Remembered:
        return Remembered()

    with ThreadPoolExecutor(1) as executor:
        listener = Listener(
            site="test",
            name="bed",
            source=Played(pcm),
            pipeline=Pipeline(Decider(judge, PITCH), WebRtcVad()),
            reporter=Reporter(
                site="test",
                source="bed",
                versions=lambda: Versions(package="0", model="m"),
                new_id=lambda: "id",
            ),
            scorer=executor,
            commit=told.commit,
            on_capture=nothing,
            recall=nothing_yet,
            features="f",
            metrics=Metrics(),
            publish_utterances=False,
            patience=QUICK,
        )
        tasks = [asyncio.create_task(listener.run()), asyncio.create_task(listener.watch(0.1))]
        try:
            yield told
        finally:
            listener.stop()
            await tasks[0]
            tasks[1].cancel()


def names(document: dict[str, Any]) -> list[str]:
    return [condition["name"] for condition in document["conditions"]]


async def test_a_muted_source_is_a_condition_in_its_health_and_over_when_it_speaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    pcm = np.concatenate([np.zeros(12 * RATE, np.int16), voice(12.0)])
    async with listening(pcm, Calm()) as told:
        muted = await told.until(lambda one: names(one) == ["digital_silence"])
        assert muted["conditions"][0]["priority"] == "medium"
        assert muted["capture"] == "running"
        over = await told.until(lambda one: one["conditions_raised"] == 1 and not names(one))
        assert over["clipped"] == 0.0
    told_of = [(r.levelname, r.getMessage()) for r in caplog.records if "silence" in r.getMessage()]
    assert told_of[0][0] == "WARNING"
    assert told_of[0][1].startswith("digital_silence: source=bed: nothing but zeros")
    assert told_of[1] == ("INFO", "digital_silence is over: source=bed")


async def test_a_bug_in_judging_is_an_outage_and_the_source_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pcm = np.concatenate([np.zeros(RATE, np.int16), voice(3.0), np.zeros(RATE, np.int16)])
    async with listening(pcm, Broken()) as told:
        again = await told.until(lambda one: one["restarts"] >= 2)
        reasons = {change["reason"] for change in again["transitions"] if change["to"] == "backoff"}
    assert reasons == {"internal error (ZeroDivisionError); please report the traceback in the log"}
    assert "ZeroDivisionError" in caplog.text
