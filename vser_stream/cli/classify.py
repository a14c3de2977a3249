"""``vser-stream classify``: one label for each recording of a manifest."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.storage.output_files import check_file, replace_file
from vser_stream.config.schema import PipelineConfig, ReasonerConfig
from vser_stream.core.audio.clip import clip_segment
from vser_stream.core.reason.arbitrate import History, weigh
from vser_stream.core.scoring.baseline import is_calm_enough
from vser_stream.errors import AudioError, DataError
from vser_stream.runtime.build import Engine
from vser_stream.runtime.reasoning.reasoners import standing_by
from vser_stream.values import Decision, Segment, Vector

__all__ = ["classify"]

COLUMNS = ("path", "speaker", "role")
OUTPUT = (
    "path",
    "label",
    "p_calm",
    "p_angry",
    "p_panic",
    "confidence",
    "escalated",
    "decided_by",
    "rationale",
)


class DeciderKind(StrEnum):
    """Who decides."""

    HYBRID = "hybrid"
    SVM = "svm"


class BaselineKind(StrEnum):
    """Where the calm baseline of a speaker comes from."""

    NONE = "none"
    ENROL = "enrol"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Row:
    """A recording of the manifest."""

    path: str
    speaker: str
    enrol: bool


def classify(
    manifest: Annotated[
        Path, typer.Option(help="CSV with path, speaker, role (enrol or test), in time order.")
    ],
    root: Annotated[Path, typer.Option(help="Folder that the paths are relative to.")],
    output: Annotated[Path, typer.Option(help="CSV to write: a row for each test row.")],
    decider: Annotated[
        DeciderKind, typer.Option(help="Who decides low-confidence utterances.")
    ] = DeciderKind.HYBRID,
    baseline: Annotated[BaselineKind, typer.Option(help="Calm baseline.")] = BaselineKind.ENROL,
    model: Annotated[Path | None, typer.Option(help="Model folder; default: the shipped model.")] = None,
) -> None:
    """Judge each recording of a manifest as one utterance.

    Enrol rows are calm speech of their speaker. Baseline none: every row cold. enrol: from the
    speaker's enrol rows alone. running: in time order, enrol rows and every row judged calm.
    """
    rows = read_rows(manifest, root)
    check_file(output, ours=_is_table, what="a table of vser-stream classify")
    wanted = ReasonerConfig(backend="bundled" if decider is DeciderKind.HYBRID else "none")
    engine = Engine.load(PipelineConfig(model=model, reasoner=wanted))
    with standing_by(engine.reasoner):
        heard, bad = _hear(rows, root, engine)
        decided = _judge_all(heard, engine, baseline)
        _write(output, ((row, _settled(decision, engine)) for row, decision in decided))
    if bad:
        raise AudioError(f"{bad} of {len(rows)} recordings could not be read; {output} holds the others")


def read_rows(manifest: Path, root: Path) -> list[Row]:
    """Read and check a manifest.

    Raises:
        DataError: It cannot be read, misses columns, or names a role or a file that is not.
    """
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise DataError(f"{manifest}: cannot be read ({reason})") from exc
    if not lines:
        raise DataError(f"{manifest}: has no rows")
    if missing := [name for name in COLUMNS if name not in lines[0]]:
        raise DataError(f"{manifest}: column(s) {', '.join(missing)} missing; needed: {', '.join(COLUMNS)}")
    rows = [_checked(line, f"{manifest}, line {number}") for number, line in enumerate(lines, start=2)]
    absent = [row.path for row in rows if not (root / row.path).is_file()]
    if absent:
        raise DataError(f"{manifest}: {len(absent)} file(s) not under {root}, the first: {absent[0]}")
    return rows


def _checked(line: Mapping[str, str | None], where: str) -> Row:
    path, speaker, role = (line[name] for name in COLUMNS)
    if not path or speaker is None:
        raise DataError(f"{where}: path or speaker is empty")
    if role not in {"enrol", "test"}:
        raise DataError(f"{where}: role {role!r} is neither enrol nor test")
    return Row(path=path, speaker=speaker, enrol=role == "enrol")


Heard = tuple[Row, Segment, Vector]


def _hear(rows: list[Row], root: Path, engine: Engine) -> tuple[list[Heard], int]:
    """Measure every recording; return also how many could not be read."""
    heard, bad = [], 0
    for row in track(rows, "listening", disable=not sys.stderr.isatty()):
        try:
            segment = clip_segment(Recording(root / row.path).blocks(lambda: False), WebRtcVad())
        except AudioError as exc:
            print(f"vser-stream: {row.path}: {exc}", file=sys.stderr)
            bad += 1
            continue
        heard.append((row, segment, engine.decider().measure(segment)))
    return heard, bad


def _judge_all(heard: list[Heard], engine: Engine, kind: BaselineKind) -> Iterator[tuple[Row, Decision]]:
    deciders = {row.speaker: engine.decider() for row, _, _ in heard}
    if kind is BaselineKind.ENROL:
        for row, _, vector in heard:
            if row.enrol:
                deciders[row.speaker].enrol(vector)
    for row, segment, vector in heard:
        decider = deciders[row.speaker]
        decision = decider.decide(segment, vector)
        if not row.enrol:
            yield row, decision
        if kind is BaselineKind.RUNNING and row.enrol:
            decider.enrol(vector)
        elif kind is BaselineKind.RUNNING and is_calm_enough(decision.probabilities):
            decider.learn(vector)


def _settled(decision: Decision, engine: Engine) -> Decision:
    """Let the reasoner weigh what is ambiguous; a recording has no others before it."""
    if engine.reasoner is None or not decision.escalated:
        return decision
    case = History().case(decision, engine.rules.book)
    return weigh(engine.reasoner, decision, case, engine.rules.writer())


def _write(output: Path, decided: Iterable[tuple[Row, Decision]]) -> None:
    """Write the table whole or not at all."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(OUTPUT)
    table.writerows(_cells(row, decision) for row, decision in decided)
    try:
        replace_file(output, text.getvalue().encode())
    except OSError as exc:
        raise DataError(f"{output}: cannot be written ({exc.strerror})") from exc


def _is_table(head: bytes) -> bool:
    return head.startswith(",".join(OUTPUT).encode())


def _cells(row: Row, decision: Decision) -> tuple[str, ...]:
    p = decision.probabilities
    return (
        row.path,
        decision.label.value,
        *(f"{value:.6f}" for value in (p.calm, p.angry, p.panic, decision.confidence)),
        str(decision.escalated).lower(),
        decision.decided_by.value,
        decision.rationale,
    )
