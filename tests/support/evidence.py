"""Evidence of real decisions: the shipped model on the demo scene."""

from __future__ import annotations

import itertools
from functools import cache

from support.daemon import SCENE

from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.config.locations import shipped_model
from vser_stream.config.schema import PipelineConfig, ReasonerConfig
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.documents import Origin, Versions
from vser_stream.runtime.build import Engine, load_model
from vser_stream.values import Decision, Record

__all__ = ["decisions", "evidence_of", "model"]

NOW = 1_800_000_000.0


@cache
def model() -> OnnxSvm:
    return load_model(shipped_model())


@cache
def decisions() -> tuple[Decision, ...]:
    """Of the first 12 s of the scene: from the baseline alone first, from its anchor too in the end."""
    alone = PipelineConfig(reasoner=ReasonerConfig(backend="none"))
    pipeline = Engine.load(alone).pipeline(alone.alarm)
    blocks = itertools.takewhile(lambda b: b.end < 12 * 16_000, Recording(SCENE).blocks(lambda: False))
    outcomes = [outcome.what for block in blocks for outcome in pipeline.feed(block)]
    return tuple(what for what in outcomes if isinstance(what, Decision))


def evidence_of(decision: Decision, *, made_by: str | None = None, at: float = NOW) -> Record:
    versions = Versions(package="0.1.0", model=made_by or model().identity, rules="r@1")
    return record_of(
        decision,
        origin=Origin("home", "bed", versions),
        alert_id="a1",
        event="raised",
        recorded_at=at,
    )
