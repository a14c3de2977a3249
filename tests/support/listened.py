"""A listener with all its real parts, but for the voice, which is made here, and whoever judges it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor

import numpy as np
from support.decisions import START

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.config.schema import AlarmConfig, PanicConfig, PublishConfig
from vser_stream.core.alarm.threshold_curve import Curves
from vser_stream.core.audio.capture_state import Patience
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.technical_condition import Condition
from vser_stream.core.wire.documents import Versions
from vser_stream.core.wire.numbering import Reporter
from vser_stream.core.wire.source_snapshot import Remembered, remember
from vser_stream.ports import Clock, Scorer, Store
from vser_stream.runtime.source.capture import Capture
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.source.parts import Shared, Source
from vser_stream.values import RATE, Block, Pcm, Probabilities, Rows

__all__ = [
    "EVERY",
    "PRIOR",
    "Calm",
    "Played",
    "listener_of",
    "pipeline_of",
    "reporter",
    "shared_by",
    "taught",
]

EVERY = 0.1
"""Between two health messages (s)."""

_PITCH = SwiftF0Tracker()
_ONES = np.ones(len(FEATURES), np.float32)

PRIOR = Prior(location=_ONES, scale=_ONES, weight=_ONES)


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
    """To whom every voice is calm."""

    def score(self, rows: Rows) -> Probabilities:
        assert len(rows)
        return Probabilities(calm=0.9, angry=0.06, panic=0.04)


def taught(count: int) -> Baseline:
    """A baseline that is known, from so many utterances."""
    baseline = Baseline.from_prior(PRIOR)
    for _ in range(count):
        baseline = baseline.updated(2 * _ONES).enrolled()
    return baseline


def pipeline_of(scorer: Scorer, *, curves: Curves | None = None, baby_cry: bool = False) -> Pipeline:
    """One that is sure of a panic at .9."""
    decider = Decider(Judge(scorer, PRIOR, escalate_below=0.6), _PITCH)
    alarm = AlarmConfig(panic=PanicConfig(fast=0.9))
    return Pipeline(decider, WebRtcVad(), alarm=alarm, curves=curves, baby_cry=baby_cry)


def reporter() -> Reporter:
    versions = Versions(package="0", model="m")
    return Reporter(site="test", source="bed", versions=lambda: versions, new_id=lambda: "id")


class Kept:
    """What an earlier listener has left; the features of its baseline are called "f"."""

    def __init__(self, recall: Callable[[], Awaitable[Remembered | None]]) -> None:
        self._recall = recall

    async def recall(self, source: str) -> Remembered | None:
        assert source == "bed"
        return await self._recall()

    def document(self, kept: Remembered) -> bytes:
        return remember(kept, features="f")


class NothingElse:
    """All is well elsewhere."""

    def of(self, source: str) -> tuple[Condition, ...]:
        assert source == "bed"
        return ()


def shared_by(
    store: Store,
    *,
    scorer: Executor,
    recall: Callable[[], Awaitable[Remembered | None]],
    clock: Clock = SYSTEM_CLOCK,
) -> Shared:
    """What a listener of the site "test" shares with nobody."""
    return Shared(
        store=store,
        archive=Kept(recall),
        scorer=scorer,
        conditions=NothingElse(),
        publish=PublishConfig.model_construct(health_every=EVERY, utterances=False),
        metrics=Metrics(),
        clock=clock,
    )


def listener_of(
    pipeline: Pipeline, source: Played, shared: Shared, *, reporting: Reporter | None = None
) -> Listener:
    """The source "bed" of the site "test", heard by the clock of this box."""
    capture = Capture("bed", source, patience=Patience(first_wait=0.05, longest_wait=0.05))
    return Listener(Source(capture, pipeline, reporting or reporter()), shared)
