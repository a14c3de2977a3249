"""``vser-stream records``: the evidence behind the alerts, as the agent kept it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vser_stream.adapters.storage.audit_chain import Chained
from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.cli._database import at, database
from vser_stream.cli._options_agent import OfAgent
from vser_stream.config.loader import load

__all__ = ["app"]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

app = typer.Typer(help="Audit records behind the alerts.", no_args_is_help=True)


@app.callback()
def records() -> None:
    """Audit records behind the alerts."""


@app.command("ls")
def list_all(config: OfAgent, as_json: AsJson = False) -> None:
    """List the records, oldest first; may be asked while the agent runs."""
    table = Table("id", "written", "source", "event", "label", "decided by", "alert")
    with KeptFile(database(load(config))) as file:
        for record in file.records():
            document = json.loads(record.document)
            told = {key: document.get(key) for key in ("event", "label", "decided_by", "alert_id")}
            if as_json:
                print(json.dumps({"id": record.id, "source": record.source, **told, "hash": record.hash}))
            else:
                table.add_row(
                    str(record.id), at(record.created_at), record.source, *(str(one) for one in told.values())
                )
    if not as_json:
        Console().print(table)


@app.command()
def export(config: OfAgent) -> None:
    """Print every record in full with its hashes, one JSON object a line."""
    with KeptFile(database(load(config))) as file:
        for record in file.records():
            print(json.dumps(exported(record)))


@app.command()
def verify(config: OfAgent, as_json: AsJson = False) -> None:
    """Walk the chain of hashes; name the first record that was changed, removed or put in."""
    path = database(load(config))
    with KeptFile(path) as file:
        count, head = file.verify()
    if as_json:
        print(json.dumps({"verified": True, "records": count, "hash": head}))
    else:
        print(f"{path}: {count} records, all intact; the latest hash is {head}")


def exported(record: Chained) -> dict[str, Any]:
    """A record with its place in the chain, as JSON."""
    return {
        "id": record.id,
        "previous": record.previous,
        "hash": record.hash,
        "document": json.loads(record.document),
    }
