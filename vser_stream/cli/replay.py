"""``vser-stream replay``: the daemon's pipeline on recordings."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from vser_stream.adapters.audio.recording import Recording
from vser_stream.config.loader import load
from vser_stream.config.schema import PipelineConfig, ReasonerConfig
from vser_stream.core.pipeline import Outcome, Rejected
from vser_stream.core.reason.arbitrate import PATIENCE
from vser_stream.core.wire.documents import Alert, utterance_of
from vser_stream.core.wire.numbering import Reporter
from vser_stream.errors import AudioError
from vser_stream.runtime.build import Engine
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.reasoning.reasoners import standing_by
from vser_stream.runtime.replay import Replay
from vser_stream.values import RATE, Decision, SegmentKind

__all__ = ["replay"]

Row = dict[str, Any]
PATIENT = PipelineConfig(reasoner=ReasonerConfig(deadline=PATIENCE))
"""Where no configuration says how long an alarm may wait for the reasoner."""

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
    engine = Engine.load(settings or PATIENT)
    site = settings.site if settings else "replay"
    show = _print_json if as_json else _print_line
    with standing_by(engine.reasoner):
        failed = asyncio.run(_replay_all(files, engine, site=site, realtime=realtime, show=show))
    if failed:
        raise typer.Exit(failed.exit_code)


async def _replay_all(
    files: list[Path], engine: Engine, *, site: str, realtime: bool, show: Callable[[Row], None]
) -> AudioError | None:
    """Return the last error."""
    failed = None
    async with Replay(engine) as replay:
        for file in files:
            try:
                await _show(rows_of(file, replay, engine, site=site, realtime=realtime), file, show)
            except AudioError as exc:
                print(f"vser-stream: {exc}", file=sys.stderr)
                failed = exc
        if replay.escalation is not None:
            _sum_up(replay.escalation)
    return failed


async def _show(rows: AsyncIterator[Row], file: Path, show: Callable[[Row], None]) -> None:
    heard = False
    async for row in rows:
        heard = True
        show(row)
    if not heard:
        print(f"vser-stream: {file}: no speech found", file=sys.stderr)


def _sum_up(escalation: Escalation) -> None:
    """Say what the reasoner was there for and did not decide."""
    counters = escalation.counters()
    reasons = {name: getattr(counters, name) for name in ("late", "over_budget", "unavailable", "failed")}
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in reasons.items() if count)
    if told:
        print(
            f"vser-stream: {sum(reasons.values())} of {counters.asked} ambiguous utterances were left to the "
            f"SVM ({told}): {escalation.trouble}",
            file=sys.stderr,
        )


async def rows_of(
    file: Path, replay: Replay, engine: Engine, *, site: str = "replay", realtime: bool = False
) -> AsyncIterator[Row]:
    """Yield what came of one recording, in order.

    Raises:
        AudioError: It cannot be read.
    """
    source = re.sub(r"[^A-Za-z0-9_-]", "_", file.stem)[:64] or "recording"
    reporter = Reporter(site=site, source=source, versions=engine.versions, new_id=_counted_ids(source))
    async for outcome, alert in replay.play(Recording(file, realtime=realtime), reporter):
        if row := _row(outcome, alert, site=site, source=source):
            yield row


def _counted_ids(source: str) -> Callable[[], str]:
    """Ids that are the same in each run."""
    numbers = itertools.count()
    return lambda: uuid.uuid5(uuid.NAMESPACE_OID, f"{source}/{next(numbers)}").hex


def _row(outcome: Outcome, alert: Alert | None, *, site: str, source: str) -> Row | None:
    if alert is not None:
        return {"type": "alert", "at_s": round(outcome.at / RATE, 3), **alert.model_dump(mode="json")}
    match outcome.what:
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
