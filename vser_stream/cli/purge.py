"""``vser-stream purge``: delete evidence."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.adapters.storage.database_reader import KeptFile, in_use
from vser_stream.adapters.system.control_socket import ask
from vser_stream.cli._database import database
from vser_stream.cli._options_agent import OfAgent
from vser_stream.cli._retained import clear_retained
from vser_stream.config.loader import load
from vser_stream.config.schema import Config
from vser_stream.core.wire.control_requests import Purge
from vser_stream.errors import DaemonAwayError, MessageRefusedError, UserError

__all__ = ["purge"]

DAY = 86_400.0


def purge(
    config: OfAgent,
    older_than: Annotated[
        float | None, typer.Option(help="Days; default: evidence_days of the configuration.", min=0.0)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    retained: Annotated[
        bool,
        typer.Option("--retained", help="Instead: the retained messages of a stopped site on the broker."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete evidence for good, also while the agent runs; what is left can still be verified.

    With --retained the broker forgets the site, and Home Assistant its devices: for a box that is given up.
    """
    if everything + retained + (older_than is not None) > 1:
        raise UserError("only one of --all, --older-than DAYS and --retained")
    settings = load(config)
    path = database(settings)
    if retained:
        _forget_site(settings, path, yes=yes)
        return
    days = settings.privacy.evidence_days if older_than is None else older_than
    before = None if everything else time.time() - days * DAY
    with KeptFile(path) as file:
        what = "all evidence" if everything else f"the audit records older than {days:g} days"
        if not yes and not _agreed(f"{path}: delete {what}?"):
            raise typer.Exit(130)
        try:
            deleted = next(ask(settings.state_path, Purge(before=before).model_dump_json()))["deleted"]
        except DaemonAwayError:
            with KeptFile(path, writable=True) as writable:
                deleted = writable.purge(math.inf if before is None else before)
        print(f"{deleted} records deleted, {sum(1 for _ in file.records())} left")


def _forget_site(settings: Config, path: Path, *, yes: bool) -> None:
    if path.exists() and in_use(path):
        raise UserError("the agent runs and would publish all of it again; stop it first")
    where = f"{settings.mqtt.host}: site {settings.site}"
    if not yes and not _agreed(f"{where}: delete its retained states and devices on the broker?"):
        raise typer.Exit(130)
    cleared, refused = asyncio.run(clear_retained(settings))
    print(f"{where}: {cleared} retained messages deleted on the broker")
    if refused:
        raise MessageRefusedError(f"the broker's access list protects {', '.join(refused)}")


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
