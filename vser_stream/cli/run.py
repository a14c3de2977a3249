"""``vser-stream run``: the daemon."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from vser_stream.adapters.system.journal import logging_to
from vser_stream.cli._options_agent import OfAgent
from vser_stream.runtime.service import Service

__all__ = ["run"]


def run(
    config: OfAgent,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Also log each utterance."),
    ] = False,
) -> None:
    """Listen to every source and publish alerts, until SIGTERM or until all recordings have ended.

    SIGHUP reads the sources of the configuration again; those that stay the same are not disturbed.
    """
    with logging_to(sys.stderr, verbose=verbose):
        asyncio.run(Service(config).run())
