"""What the daemon does when somebody at the box asks."""

import asyncio
import json
import math
import os
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from support.audio import voice

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.locations import shipped_model
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.scoring.enrolment import Calibration
from vser_stream.core.wire.documents import AlarmThreshold, Health
from vser_stream.errors import CaptureError, ConfigError, UserError
from vser_stream.runtime import control as module
from vser_stream.runtime.build import load_model
from vser_stream.runtime.control import ControlDesk
from vser_stream.values import RATE, Block, Label

STEP = RATE // 10
ROOT = 0


class Source:
    """Plays a recording as fast as it is taken, then is silent for ever."""

    name = "bedroom"

    def __init__(self, pcm: Any) -> None:
        self._pcm = pcm
        self.learned: list[Baseline | None] = []

    def health(self) -> Health:
        told: dict[str, Any] = {"baseline_utterances": len(self.learned)}
        return Health.model_construct(**told)

    async def listen_in(self) -> AsyncGenerator[Block]:
        for start in range(0, len(self._pcm), STEP):
            yield Block(self._pcm[start : start + STEP], start=start, heard_at=0.0)
        await asyncio.Event().wait()

    async def learn(self, baseline: Baseline | None) -> None:
        self.learned.append(baseline)


class Watched(Calibration):
    """Tells on which thread it works."""

    threads: set[str]

    def feed(self, block: Block) -> None:
        self.threads.add(threading.current_thread().name)
        super().feed(block)


@pytest.fixture(scope="module")
def model() -> OnnxSvm:
    return load_model(shipped_model())


@dataclass
class Sources:
    listeners: list[Source]


class Deleted:
    """Takes note of what is to be deleted."""

    def __init__(self) -> None:
        self.before: list[float] = []

    async def purge(self, before: float) -> int:
        self.before.append(before)
        return 7


async def again() -> str | None:
    """As if the file were wrong."""
    return "the file is wrong: no site"


def desk_of(model: OnnxSvm, source: Source, deleted: Deleted | None = None) -> ControlDesk:
    Watched.threads = set()
    return ControlDesk(
        Sources([source]),
        calibration=lambda: Watched(model.prior, SwiftF0Tracker(), WebRtcVad()),
        purge=(deleted or Deleted()).purge,
        reload=again,
    )


async def told(desk: ControlDesk, user: int = ROOT, **question: object) -> list[dict[str, Any]]:
    return [dict(words) async for words in desk.answer(json.dumps(question).encode(), user)]


NOTHING = voice(1.0)[:0]


async def test_a_calibration_is_told_of_while_it_lasts_and_leaves_scoring_alone(model: OnnxSvm) -> None:
    source = Source(voice(6.0))
    *going, last = await told(desk_of(model, source), do="calibrate", source="bedroom", seconds=5)
    assert [one["seconds"] for one in going] == sorted({one["seconds"] for one in going})
    assert len(going) == pytest.approx(5 / module.TELL_EVERY, abs=2)
    assert last["done"]["seconds"] == 5.0
    assert last["done"]["stored"] is (len(source.learned) == 1)
    assert {name.rsplit("_", 1)[0] for name in Watched.threads} == {"calibration"}


async def test_only_one_source_is_calibrated_at_a_time_and_an_end_halfway_frees_it(model: OnnxSvm) -> None:
    source = Source(voice(60.0))
    desk = desk_of(model, source)
    question: dict[str, Any] = {"do": "calibrate", "source": "bedroom", "seconds": 50}
    first = desk.answer(json.dumps(question).encode(), ROOT)
    await anext(first)
    with pytest.raises(UserError, match="already"):
        await told(desk, **question)
    await first.aclose()
    again = desk.answer(json.dumps(question).encode(), ROOT)
    await anext(again)
    await again.aclose()
    assert source.learned == []


async def test_a_source_that_is_not_heard_is_an_error(
    model: OnnxSvm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPENING", 0.1)
    with pytest.raises(CaptureError, match="delivers no audio now"):
        await told(desk_of(model, Source(NOTHING)), do="calibrate", source="bedroom", seconds=5)


async def test_what_is_known_is_forgotten(model: OnnxSvm) -> None:
    source = Source(NOTHING)
    desk = desk_of(model, source)
    assert await told(desk, do="forget", source="bedroom") == [{"forgotten": False}]
    assert await told(desk, do="forget", source="bedroom") == [{"forgotten": True}]
    assert source.learned == [None, None]


async def test_what_is_known_of_a_room_is_something_too(model: OnnxSvm) -> None:
    class Quiet(Source):
        def health(self) -> Health:
            quieter = AlarmThreshold(level=Label.PANIC, distress=4.5, usual=6.0, reason="a quiet room")
            return super().health().model_copy(update={"thresholds": (quieter,)})

    assert await told(desk_of(model, Quiet(NOTHING)), do="forget", source="bedroom") == [{"forgotten": True}]


async def test_who_reloads_hears_what_is_wrong(model: OnnxSvm) -> None:
    with pytest.raises(ConfigError, match="keeps its configuration: the file is wrong: no site"):
        await told(desk_of(model, Source(NOTHING)), do="reload")


async def test_evidence_is_deleted_for_root_and_the_daemons_own_user_only(model: OnnxSvm) -> None:
    deleted = Deleted()
    desk = desk_of(model, Source(NOTHING), deleted)
    for user in (ROOT, os.geteuid()):
        assert await told(desk, user, do="purge", before=None) == [{"deleted": 7}]
    assert await told(desk, do="purge", before=12.5) == [{"deleted": 7}]
    with pytest.raises(UserError, match="only root"):
        await told(desk, 12345, do="purge", before=None)
    assert deleted.before == [math.inf, math.inf, 12.5]


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"[]",
        b"[" * 4000,
        b'{"do": "reboot"}',
        b'{"do": "forget"}',
        b'{"do": "forget", "source": "hall"}',
        b'{"do": "calibrate", "source": "bedroom", "seconds": 1e9}',
        b'{"do": "calibrate", "source": "bedroom", "seconds": NaN}',
        b'{"do": "purge", "before": Infinity}',
        b'{"do": "purge", "before": null, "as": "root"}',
    ],
)
async def test_what_is_no_question_is_refused(model: OnnxSvm, question: bytes) -> None:
    desk = desk_of(model, Source(NOTHING))
    with pytest.raises(UserError):
        await anext(desk.answer(question, ROOT))
