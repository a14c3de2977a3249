"""``vser-stream purge``: delete evidence."""

from __future__ import annotations

import math
import time
from typing import Annotated

import typer

from vser_stream.adapters.kept import KeptFile
from vser_stream.cli.agent import OfAgent
from vser_stream.cli.kept import database
from vser_stream.config import load
from vser_stream.errors import UserError

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
    days = settings.privacy.evidence_days if older_than is None else older_than
    before = math.inf if everything else time.time() - days * DAY
    with KeptFile(database(settings), writable=True) as file:
        what = "all evidence" if everything else f"the evidence from before the last {days:g} days"
        if not yes:
            typer.confirm(f"{database(settings)}: delete {what}?", abort=True)
        print(f"{file.purge(before)} records deleted, {sum(1 for _ in file.records())} left")
