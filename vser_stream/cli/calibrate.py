"""``vser-stream calibrate``: teach a source what the calm voice of its person sounds like."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vser_stream.adapters.storage.baselines import keep
from vser_stream.adapters.storage.database_reader import in_use
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.system.control_socket import ask
from vser_stream.cli._database import database
from vser_stream.cli._options_agent import OfAgent
from vser_stream.config.loader import SERVICE_STATE, load
from vser_stream.config.schema import Config, SourceConfig
from vser_stream.core.audio.level import SILENCE_DB
from vser_stream.core.scoring.enrolment import ENOUGH, Calibration
from vser_stream.core.wire.control_requests import CALIBRATE_LONGEST, Calibrate, Forget
from vser_stream.errors import AudioError, DaemonAwayError, OutageError, UserError
from vser_stream.ports import AudioSource
from vser_stream.runtime.build import calibration_of, features, model_of
from vser_stream.runtime.source.audio_source import source_of
from vser_stream.values import RATE, Block

__all__ = ["calibrate"]

OPENING = 15.0
"""Longest time a camera takes to deliver (s)."""

_METER = 24
"""Width of the level meter (characters)."""

Show = Callable[[float, float | None, int], None]
"""Shows how it goes: time heard (s), level (dB re full scale), utterances."""


def calibrate(
    source: Annotated[str, typer.Argument(help="Name of a source of the configuration.")],
    config: OfAgent,
    seconds: Annotated[
        float, typer.Option(min=5.0, max=CALIBRATE_LONGEST, help="Listening time (s).")
    ] = 60.0,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the baseline of the source instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Listen while the person speaks calmly, and keep statistics of that as the source's calm voice.

    The daemon does it, with the audio it hears, and keeps on learning from there. Where none runs this opens
    the source itself, if the state folder is yours. Exit code 4 if too little was heard; what was kept before
    then stays.
    """
    settings = load(config)
    chosen = _source(settings, source)
    try:
        facts = _forgotten(settings, source) if forget else _taught(settings, source, seconds)
    except DaemonAwayError:
        if not _is_mine(settings.state_path):
            raise
        facts = _forget(settings, source) if forget else _teach(settings, chosen, seconds)
    facts = {"source": source} | facts
    if as_json:
        print(json.dumps(facts))
    else:
        _tell(facts)
    if facts.get("stored") is False:
        others = "".join(f", {count} {why}" for why, count in facts["refused"].items())
        raise AudioError(
            f"{source}: {facts['utterances']} calm utterances in {facts['seconds']:.0f} s{others}, "
            f"{ENOUGH} are needed; nothing was changed: speak a few sentences near it, and calibrate again"
        )


def _source(settings: Config, name: str) -> SourceConfig:
    for source in settings.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in settings.sources)
    raise UserError(f"no source is named {name!r}; configured: {known}")


def _is_mine(folder: Path) -> bool:
    """Whether this user may write there in place of the daemon; root would leave it what it cannot read."""
    return folder.stat().st_uid == os.geteuid() if folder.exists() else folder != SERVICE_STATE


def _taught(settings: Config, source: str, seconds: float) -> dict[str, Any]:
    """Ask the daemon to listen.

    Raises:
        DaemonAwayError: It does not run.
    """
    question = Calibrate(source=source, seconds=seconds)
    with (
        closing(ask(settings.state_path, question.model_dump_json())) as answers,
        _view(seconds) as show,
    ):
        for answer in answers:
            if "done" in answer:
                return dict(answer["done"])
            show(answer["seconds"], answer["level_db"], answer["utterances"])
    raise OutageError("the daemon stopped meanwhile; calibrate again when it runs")


def _forgotten(settings: Config, source: str) -> dict[str, Any]:
    return next(ask(settings.state_path, Forget(source=source).model_dump_json()))


def _teach(settings: Config, source: SourceConfig, seconds: float) -> dict[str, Any]:
    heard = calibration_of(model_of(settings), settings)
    _listen(heard, source_of(source), seconds)
    if heard.enough:
        with _state(settings) as outbox:
            keep(outbox, source.name, heard.baseline, features=features())
    return heard.facts


def _forget(settings: Config, source: str) -> dict[str, Any]:
    if not database(settings).exists():
        return {"forgotten": False}
    with _state(settings) as outbox:
        return {"forgotten": keep(outbox, source, None, features=features())}


@contextmanager
def _state(settings: Config) -> Iterator[SqliteOutbox]:
    """What the daemon keeps, while it does not run."""
    path = database(settings)
    with suppress(OSError):  # what opens it tells
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and in_use(path):
        raise UserError(f"{path}: is in use, but no daemon answers beside it; stop what uses it")
    with SqliteOutbox(path) as outbox:
        yield outbox


def _listen(calibration: Calibration, source: AudioSource, seconds: float) -> None:
    """Feed so much of the source, or all of a recording."""
    until = time.monotonic() + OPENING + seconds
    with closing(_blocks(source, until)) as blocks, _view(seconds) as show:
        for block in blocks:
            calibration.feed(block)
            show(calibration.samples / RATE, calibration.level_db, calibration.utterances)
            if calibration.samples >= seconds * RATE:
                break
    calibration.flush()


def _blocks(source: AudioSource, until: float) -> Generator[Block]:
    yield from source.blocks(lambda: time.monotonic() > until)


@contextmanager
def _view(seconds: float) -> Iterator[Show]:
    left = TextColumn(f"{{task.completed:.0f}} of {seconds:.0f} s, {{task.fields[heard]}} utterances")
    columns = (TextColumn("{task.description}"), BarColumn(), left, TextColumn("{task.fields[level]}"))
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("speak calmly", total=seconds, level=_meter(None), heard=0)
        yield lambda heard, level_db, utterances: progress.update(
            task, completed=heard, level=_meter(level_db), heard=utterances
        )


def _meter(level_db: float | None) -> str:
    level = SILENCE_DB if level_db is None else level_db
    filled = round(_METER * (1 - level / SILENCE_DB))
    return f"{'█' * filled}{'·' * (_METER - filled)} {level:.0f} dBFS"


def _tell(facts: dict[str, Any]) -> None:
    if "forgotten" in facts:
        print(f"{facts['source']}: {'forgotten' if facts['forgotten'] else 'there was no baseline'}")
    elif facts["stored"]:
        print(
            f"{facts['source']}: baseline stored, from {facts['utterances']} utterances with "
            f"{facts['voice_s']} s of voice"
        )
