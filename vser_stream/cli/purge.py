"""``vser-stream purge``: delete evidence."""

from __future__ import annotations

import math
import time
from typing import Annotated

import typer

from vser_stream.adapters.control_socket import ask
from vser_stream.adapters.kept import KeptFile
from vser_stream.cli.agent import OfAgent
from vser_stream.cli.kept import database
from vser_stream.config import load
from vser_stream.core.control import Purge
from vser_stream.errors import DaemonAwayError, UserError

__all__ = ["purge"]

DAY = 86_400.0


def purge(
    config: OfAgent,
    older_than: Annotated[
        float | None, typer.Option(help="Days; default: evidence_days of the configuration.", min=0.0)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete evidence for good, also while the agent runs; what is left can still be verified."""
    if everything and older_than is not None:
        raise UserError("either --all or --older-than DAYS, not both")
    settings = load(config)
    path = database(settings)
    days = settings.privacy.evidence_days if older_than is None else older_than
    before = None if everything else time.time() - days * DAY
    with KeptFile(path) as file:
        what = "all evidence" if everything else f"the evidence from before the last {days:g} days"
        if not yes and not _agreed(f"{path}: delete {what}?"):
            raise typer.Exit(130)
        try:
            deleted = next(ask(settings.state_path, Purge(before=before).model_dump_json()))["deleted"]
        except DaemonAwayError:
            with KeptFile(path, writable=True) as writable:
                deleted = writable.purge(math.inf if before is None else before)
        print(f"{deleted} records deleted, {sum(1 for _ in file.records())} left")


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
