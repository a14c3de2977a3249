"""``vser-stream models``: look after models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.svm import OnnxSvm
from vser_stream.config import shipped_model
from vser_stream.core.features.spec import digest

__all__ = ["app", "load_model"]

app = typer.Typer(help="Look after models.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """Look after models."""


@app.command()
def verify(
    folder: Annotated[Path | None, typer.Argument(help="Model folder; default: the shipped model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a model's hashes, feature digest and golden vectors, as the daemon does before it starts."""
    model = load_model(folder or shipped_model())
    facts = {
        "name": model.name,
        "version": model.version,
        "manifest_sha256": model.sha256,
        "features": model.manifest["features"],
        "escalate_below": model.escalate_below,
        "verified": True,
    }
    if as_json:
        print(json.dumps(facts))
        return
    table = Table("what", "value", title=f"{model.name}: verified")
    for name, value in facts.items():
        table.add_row(name, str(value))
    Console().print(table)


def load_model(folder: Path) -> OnnxSvm:
    """Load a model for the features this build computes."""
    return OnnxSvm.load(folder, features=digest(SwiftF0Tracker()))
