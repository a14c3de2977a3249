"""``vser-stream run``: the daemon."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.config import load
from vser_stream.errors import ConfigError
from vser_stream.runtime.agent import Agent

__all__ = ["run"]

_log = logging.getLogger(__name__)


def run(
    config: Annotated[Path, typer.Option(help="Configuration file (TOML).")],
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is heard, too.")] = False,
) -> None:
    """Listen to every source and publish alerts, until SIGTERM or until all recordings have ended.

    SIGHUP reads the sources of the configuration again; those that stay the same are not disturbed.
    """
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = load(config)
    if settings.reasoner.backend != "none":
        _log.warning(
            "reasoner backend %r is not in this release: the SVM decides the ambiguous too, as fallback",
            settings.reasoner.backend,
        )
    asyncio.run(_listen(Agent(settings), config))


async def _listen(agent: Agent, config: Path) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, agent.stop)
    loop.add_signal_handler(signal.SIGHUP, _reload, agent, config)
    await agent.run()


def _reload(agent: Agent, config: Path) -> None:
    try:
        settings = load(config)
    except ConfigError as exc:
        _log.warning("configuration kept as it was, the file is wrong: %s", exc)
        return
    agent.reload(settings)
