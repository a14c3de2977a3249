"""``vser-stream rescore``: decide again what was decided then, from the evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from vser_stream.adapters.models.onnx_svm import GOLDEN_TOLERANCE, OnnxSvm
from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.adapters.system.untrusted_text import parse_json
from vser_stream.cli._database import database
from vser_stream.cli._options_agent import default
from vser_stream.cli.records import exported
from vser_stream.config.loader import load
from vser_stream.config.locations import shipped_model
from vser_stream.config.schema import Config
from vser_stream.core.wire.audit_record import RECORD, canonical, chained, rows_of, scored_of
from vser_stream.errors import DataError, ModelError, UserError
from vser_stream.runtime.build import load_model
from vser_stream.values import LABELS, Probabilities

__all__ = ["rescore"]

_LONGEST_ID = 18
"""Digits of the largest number the database counts to; what is longer names a file."""


def rescore(
    record: Annotated[
        str,
        typer.Argument(help="Id of a record in the agent's database, a JSON file, or - for standard input."),
    ],
    config: Annotated[
        Path | None, typer.Option(help="The agent's configuration: database and model.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder, instead of the configuration's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let the model decide again from a record, and compare it with what it said then.

    Exit code 0 if it says the same, 3 if the model is another one, 4 if the record is not what was
    written or the answer differs.
    """
    path = config or (default() if record.isdecimal() else None)
    settings = load(path) if path else None
    document = _document(record, settings)
    svm = load_model(model or (settings.model_dir if settings else shipped_model()))
    then, now = _answers(document, svm)
    worst = max(abs(then.of(label) - now.of(label)) for label in LABELS)
    # Not "worst >": a NaN must not pass.
    if not worst <= GOLDEN_TOLERANCE or now.top is not then.top:
        raise DataError(
            f"record {record}: the same model now answers {worst:.1e} off ({_words(now)}); check onnxruntime"
        )
    if as_json:
        facts = {"exact": worst == 0.0, "then": then.by_label, "now": now.by_label, "label": now.top}
        decided = {"decided": document.get("label"), "decided_by": document.get("decided_by")}
        print(json.dumps(facts | decided))
        return
    how = "bit for bit" if worst == 0.0 else f"within {worst:.1e}: another processor or onnxruntime"
    print(
        f"record {record}: the SVM gives the same result, {how}: {_words(now)}; "
        f"then decided {document.get('label')} by {document.get('decided_by')}"
    )


def _document(record: str, settings: Config | None) -> dict[str, Any]:
    """The document of a record that is what was written.

    Raises:
        UserError: There is no such record.
        DataError: It was changed, or is none.
    """
    if record.isdecimal() and len(record) <= _LONGEST_ID:
        if settings is None:
            raise UserError(f"record {record}: needs --config FILE")
        with KeptFile(database(settings)) as file:
            given = exported(file.record(int(record)))
    else:
        given = _read(record)
    try:
        document: dict[str, Any] = given["document"]
        intact = chained(given["previous"], canonical(document)) == given["hash"]
        known = document["schema"] == RECORD
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise DataError(
            f"record {record}: not an audit record; pass one line of vser-stream records export"
        ) from exc
    if not intact:
        raise DataError(f"record {record}: was changed, its hash differs; export it again")
    if not known:
        raise DataError(f"record {record}: is {document['schema']}, not {RECORD}; use the matching release")
    return document


def _read(name: str) -> Any:
    try:
        return parse_json(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
    except OSError as exc:
        raise DataError(f"{name}: cannot be read ({exc.strerror}); give an id or a file") from exc
    except ValueError as exc:
        raise DataError(f"{name}: not a JSON object; pass one line of vser-stream records export") from exc


def _answers(document: dict[str, Any], svm: OnnxSvm) -> tuple[Probabilities, Probabilities]:
    """What the model said then, and what it says now.

    Raises:
        ModelError: It is another model.
        DataError: There is nothing to score.
    """
    try:
        made_by = document["versions"]["model"]
        rows, then = rows_of(document), scored_of(document)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise DataError("the record has no feature rows; only decisions of the SVM have") from exc
    if made_by != svm.identity:
        raise ModelError(
            f"the record was scored by {made_by}, this is {svm.identity}; give its folder with --model"
        )
    inputs = svm.session.get_inputs()[0].shape[1]
    if rows.shape[1] != inputs or not np.isfinite(rows).all():
        raise DataError(f"the record has no rows of {inputs} numbers, as the model takes; export it again")
    return then, svm.score(rows)


def _words(probabilities: Probabilities) -> str:
    return ", ".join(f"{label} {probabilities.of(label):.4f}" for label in LABELS)
