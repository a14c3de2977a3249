"""``vser-stream replay``: the daemon's pipeline on recordings."""

from __future__ import annotations

import itertools
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from vser_stream.adapters.audio.recording import Recording
from vser_stream.cli._once import Unusable
from vser_stream.config.loader import load
from vser_stream.config.schema import PipelineConfig
from vser_stream.core.alarm.state import Transition
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.reason.arbitrate import History
from vser_stream.core.reason.writer import Writer
from vser_stream.core.wire.documents import utterance_of
from vser_stream.core.wire.numbering import Reporter
from vser_stream.errors import AudioError
from vser_stream.runtime.build import Engine
from vser_stream.runtime.reasoning.reasoners import standing_by, weighed
from vser_stream.values import RATE, Block, Case, DecidedBy, Decision, SegmentKind

__all__ = ["replay"]

Row = dict[str, Any]
COLOURS = {"calm": "cyan", "angry": "yellow", "panic": "bold red"}


def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings; each is a source of its own.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    realtime: Annotated[bool, typer.Option("--realtime", help="In real time.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Use its model, segment, route, reasoner and alarm tables.")
    ] = None,
) -> None:
    """Judge recordings as the daemon would, on a clock that starts at 0 with each file."""
    settings = load(config) if config else None
    engine = Engine.load(settings or PipelineConfig())
    site = settings.site if settings else "replay"
    show = _print_json if as_json else _print_line
    failed: AudioError | None = None
    heard = partial(rows_of, engine=engine, site=site, realtime=realtime, on_failed=Unusable())
    with standing_by(engine.reasoner):
        for file in files:
            try:
                _show(heard(file), file, show)
            except AudioError as exc:
                print(f"vser-stream: {exc}", file=sys.stderr)
                failed = exc
    if failed:
        raise typer.Exit(failed.exit_code)


def _show(rows: Iterable[Row], file: Path, show: Callable[[Row], None]) -> None:
    heard = False
    for row in rows:
        heard = True
        show(row)
    if not heard:
        print(f"vser-stream: {file}: no speech found", file=sys.stderr)


def rows_of(
    file: Path,
    engine: Engine,
    *,
    site: str = "replay",
    realtime: bool = False,
    on_failed: Callable[[str], object] = str,
) -> Iterator[Row]:
    """Yield what came of one recording, in order; what is ambiguous is weighed at once.

    Raises:
        AudioError: It cannot be read.
    """
    source = re.sub(r"[^A-Za-z0-9_-]", "_", file.stem)[:64] or "recording"
    writer = engine.rules.writer()
    reporter = Reporter(site=site, source=source, versions=engine.versions, new_id=_counted_ids(source))
    # Nobody acknowledges anything in a recording.
    pipeline = engine.pipeline(engine.config.alarm.unattended)
    ask = partial(weighed, engine.reasoner, writer=writer, on_failed=on_failed) if engine.reasoner else None
    settle = partial(_settled, pipeline, History(), ask, writer)
    heard = _heard(pipeline, Recording(file, realtime=realtime).blocks(lambda: False))
    for outcome in itertools.chain.from_iterable(map(settle, heard)):
        if row := _row(outcome, reporter, site=site, source=source):
            yield row


def _heard(pipeline: Pipeline, blocks: Iterable[Block]) -> Iterator[list[Outcome]]:
    yield from map(pipeline.feed, blocks)
    yield pipeline.flush()


def _settled(
    pipeline: Pipeline,
    history: History,
    ask: Callable[[Decision, Case], Decision] | None,
    writer: Writer,
    outcomes: list[Outcome],
) -> Iterator[Outcome]:
    """What the reasoner makes of ambiguous utterances, after all that came of them without it."""
    second: list[Outcome] = []
    for outcome in outcomes:
        decision = outcome.what
        if not isinstance(decision, Decision) or decision.segment.kind is not SegmentKind.UTTERANCE:
            yield outcome
            continue
        case = history.case(decision, writer.book)
        if ask is None or not decision.escalated:
            yield outcome
            continue
        settled = ask(decision, case)
        if settled.decided_by is DecidedBy.LLM:
            second += pipeline.amend(settled, outcome.now)
        second.append(replace(outcome, what=settled))
    yield from second


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
