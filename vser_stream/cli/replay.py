"""``vser-stream replay``: the daemon's pipeline on recordings."""

from __future__ import annotations

import itertools
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.svm import OnnxSvm
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.adapters.wavfile import Recording
from vser_stream.cli.models import load_model
from vser_stream.config import AlarmConfig, Config, SegmentConfig, load, shipped_model
from vser_stream.core.alarm import Transition
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.messages import utterance_of
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.report import Reporter
from vser_stream.errors import AudioError
from vser_stream.ports import PitchTracker
from vser_stream.runtime.agent import versions_of
from vser_stream.values import RATE, Decision, SegmentKind

__all__ = ["replay"]

Row = dict[str, Any]
COLOURS = {"calm": "cyan", "angry": "yellow", "panic": "bold red"}


def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings, each a source of its own.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    realtime: Annotated[bool, typer.Option("--realtime", help="At the pace of the recording.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Use its model, segment, route and alarm tables.")
    ] = None,
) -> None:
    """Judge recordings as the daemon would, on a clock that starts at 0 with each file."""
    settings = load(config) if config else None
    model = load_model(settings.model_dir if settings else shipped_model())
    pitch = SwiftF0Tracker()
    show = _print_json if as_json else _print_line
    failed: AudioError | None = None
    for file in files:
        try:
            _replay(file, model, pitch, settings=settings, realtime=realtime, show=show)
        except AudioError as exc:
            print(f"vser-stream: {exc}", file=sys.stderr)
            failed = exc
    if failed:
        raise typer.Exit(failed.exit_code)


def _replay(
    file: Path,
    model: OnnxSvm,
    pitch: PitchTracker,
    *,
    settings: Config | None,
    realtime: bool,
    show: Callable[[Row], None],
) -> None:
    heard = False
    for row in rows_of(file, model, pitch, settings=settings, realtime=realtime):
        heard = True
        show(row)
    if not heard:
        print(f"vser-stream: {file}: no speech found", file=sys.stderr)


def rows_of(
    file: Path, model: OnnxSvm, pitch: PitchTracker, *, settings: Config | None = None, realtime: bool = False
) -> Iterator[Row]:
    """Yield what came of one recording, in order.

    Raises:
        AudioError: It cannot be read.
    """
    site = settings.site if settings else "replay"
    source = re.sub(r"[^A-Za-z0-9_-]", "_", file.stem)[:64] or "recording"
    reporter = Reporter(site=site, source=source, versions=versions_of(model), new_id=_counted_ids(source))
    pipeline = _pipeline(model, pitch, settings)
    outcomes = itertools.chain.from_iterable(
        map(pipeline.feed, Recording(file, realtime=realtime).blocks(lambda: False))
    )
    for outcome in itertools.chain(outcomes, _last(pipeline)):
        if row := _row(outcome, reporter, site=site, source=source):
            yield row


def _last(pipeline: Pipeline) -> Iterator[Outcome]:
    yield from pipeline.flush()


def _pipeline(model: OnnxSvm, pitch: PitchTracker, settings: Config | None) -> Pipeline:
    wanted = settings.route.escalate_below if settings else None
    judge = Judge(
        scorer=model,
        prior=model.prior,
        escalate_below=model.escalate_below if wanted is None else wanted,
        reasoner_expected=settings is not None and settings.reasoner.backend != "none",
    )
    return Pipeline(
        Decider(judge, pitch),
        WebRtcVad(),
        segment=settings.segment if settings else SegmentConfig(),
        alarm=settings.alarm if settings else AlarmConfig(),
    )


def _counted_ids(source: str) -> Callable[[], str]:
    """Ids that are the same in each run."""
    numbers = itertools.count()
    return lambda: uuid.uuid5(uuid.NAMESPACE_OID, f"{source}/{next(numbers)}").hex


def _row(outcome: Outcome, reporter: Reporter, *, site: str, source: str) -> Row | None:
    match outcome.what:
        case Transition() as transition:
            alert = reporter.alert(transition, published_at=outcome.now)
            at_s = round(outcome.at / RATE, 3)
            return {"type": "alert", "at_s": at_s, **alert.model_dump(mode="json")}
        case Decision() as decision if decision.segment.kind is SegmentKind.UTTERANCE:
            document = utterance_of(decision, site=site, source=source)
            return {"type": "utterance", **document.model_dump(mode="json")}
        case Rejected(segment=segment, reason=reason):
            span = {"start_s": round(segment.onset / RATE, 3), "end_s": round(segment.end / RATE, 3)}
            return {"type": "rejected", "source": source, **span, "reason": reason}
        case _:
            return None


def _print_json(row: Row) -> None:
    if row["type"] != "rejected":
        print(json.dumps(row), flush=True)


def _print_line(row: Row) -> None:
    Console(highlight=False, soft_wrap=True).print(_line(row))


def _line(row: Row) -> str:
    match row["type"]:
        case "utterance":
            span = f"{row['start_s']:7.2f} - {row['end_s']:6.2f} s"
            colour = COLOURS[row["label"]]
            doubt = " (ambiguous)" if row["escalated"] else ""
            verdict = f"[{colour}]{row['label']:5}[/] {row['confidence']:.2f}{doubt}"
            return f"{row['source']} {span} {verdict} {escape(row['rationale'])}"
        case "alert":
            head = f"{row['at_s']:7.2f} s ALARM {row['event']}: {row['label']}, priority {row['priority']}"
            return f"{row['source']} [{COLOURS[row['label']]}]{head}[/] ({escape(row['reason'])})"
        case _:
            span = f"{row['start_s']:7.2f} - {row['end_s']:6.2f} s"
            return f"[dim]{row['source']} {span} not judged: {escape(row['reason'])}[/]"
