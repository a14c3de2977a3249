"""``vser-stream calibrate``: teach a source what the calm voice of its person sounds like."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Generator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vser_stream.adapters.baselines import BaselineStore
from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.cli.agent import OfAgent
from vser_stream.cli.models import load_model
from vser_stream.config import Config, SourceConfig, load
from vser_stream.core.calibrate import Calibration
from vser_stream.core.features.spec import digest
from vser_stream.core.level import SILENCE_DB
from vser_stream.errors import AudioError, ConfigError, UserError
from vser_stream.ports import AudioSource
from vser_stream.runtime.sources import source_of
from vser_stream.values import RATE, Block

__all__ = ["calibrate"]

ENOUGH = 3
"""Calm utterances that must be heard: with three the aims of enrolment are measured."""

OPENING = 15.0
"""Longest time a camera takes to deliver (s)."""

_METER = 24
"""Width of the level meter (characters)."""


def calibrate(
    source: Annotated[str, typer.Argument(help="Name of a source of the configuration.")],
    config: OfAgent,
    seconds: Annotated[float, typer.Option(min=5.0, help="Time to listen (s).")] = 60.0,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete what is known of the source instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Listen while the person speaks calmly, and keep statistics of that as the source's calm voice.

    Stop the daemon before and start it after: it reads what is kept when it starts, and keeps on
    learning from there. Exit code 4 if too little was heard; what was kept before then stays.
    """
    settings = load(config)
    chosen = _source(settings, source)
    store = BaselineStore(settings.state_path, features=digest(SwiftF0Tracker()))
    if forget:
        _tell({"source": source, "forgotten": store.forget(source)}, as_json=as_json)
        return
    prior = load_model(settings.model_dir).prior
    heard = Calibration(prior, SwiftF0Tracker(), WebRtcVad(), segment=settings.segment)
    duration = _listen(heard, source_of(chosen), seconds)
    facts = {
        "source": source,
        "stored": heard.utterances >= ENOUGH,
        "utterances": heard.utterances,
        "voice_s": round(heard.voiced_s, 2),
        "seconds": round(duration, 2),
        "refused": dict(heard.refused),
    }
    if facts["stored"]:
        _keep(store, settings, source, heard)
        _tell(facts, as_json=as_json)
        return
    if as_json:
        print(json.dumps(facts))
    others = "".join(f", {count} {why}" for why, count in heard.refused.items())
    raise AudioError(
        f"{source}: {heard.utterances} calm utterances in {duration:.0f} s{others}, {ENOUGH} are needed; "
        "nothing was changed: speak a few sentences near it, and calibrate again"
    )


def _source(settings: Config, name: str) -> SourceConfig:
    for source in settings.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in settings.sources)
    raise UserError(f"no source is named {name!r}; configured: {known}")


def _listen(calibration: Calibration, source: AudioSource, seconds: float) -> float:
    """Feed so much of the source, or all of a recording; return how much that was (s)."""
    until = time.monotonic() + OPENING + seconds
    n = 0
    with contextlib.closing(_blocks(source, until)) as blocks, _view(seconds) as view:
        task = view.add_task("speak calmly", total=seconds, level=_meter(None), heard=0)
        for block in blocks:
            calibration.feed(block)
            n += len(block.pcm)
            view.update(
                task, completed=n / RATE, level=_meter(calibration.level_db), heard=calibration.utterances
            )
            if n >= seconds * RATE:
                break
    calibration.flush()
    return n / RATE


def _blocks(source: AudioSource, until: float) -> Generator[Block]:
    yield from source.blocks(lambda: time.monotonic() > until)


def _view(seconds: float) -> Progress:
    left = TextColumn(f"{{task.completed:.0f}} of {seconds:.0f} s, {{task.fields[heard]}} utterances")
    columns = (TextColumn("{task.description}"), BarColumn(), left, TextColumn("{task.fields[level]}"))
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _meter(level_db: float | None) -> str:
    level = SILENCE_DB if level_db is None else level_db
    filled = round(_METER * (1 - level / SILENCE_DB))
    return f"{'█' * filled}{'·' * (_METER - filled)} {level:.0f} dBFS"


def _keep(store: BaselineStore, settings: Config, source: str, heard: Calibration) -> None:
    folder = settings.state_path
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store.save(source, heard.baseline)
    kept = store.load(source)
    if kept is None or kept.to_lists() != heard.baseline.to_lists():
        raise ConfigError(f"{folder}: cannot be written to; run this as the user of the daemon")


def _tell(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
    elif "forgotten" in facts:
        print(f"{facts['source']}: {'forgotten' if facts['forgotten'] else 'nothing was known'}")
    else:
        print(
            f"{facts['source']}: calm voice kept, from {facts['utterances']} utterances with "
            f"{facts['voice_s']} s of voice"
        )
