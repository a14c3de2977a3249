"""``vser-stream reload``: let the daemon read its configuration again, and hear what it makes of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.adapters.system.control_socket import ask
from vser_stream.errors import DaemonAwayError

__all__ = ["reload"]


def reload(
    config: Annotated[
        Path | None, typer.Option(help="The agent's configuration; default: as installed.")
    ] = None,
) -> None:
    """Let the daemon read its sources and rules again, as systemctl reload does; those that stay go on.

    Exit code 3 if the file is wrong: the daemon then keeps what it has.
    """
    try:
        for _ in ask(_state(config), '{"do": "reload"}'):
            print("the daemon has reloaded its configuration")
    except DaemonAwayError:
        if "MAINPID" not in os.environ:  # systemd.exec(5): who is to be told
            raise
        os.kill(int(os.environ["MAINPID"]), signal.SIGHUP)


def _state(config: Path | None) -> Path:
    if config is None and (of_service := os.environ.get("STATE_DIRECTORY")):
        return Path(of_service.split(":")[0])
    # systemctl waits for this: what reads a configuration takes longer to import than all else here.
    from vser_stream.cli._options_agent import needed  # noqa: PLC0415
    from vser_stream.config.loader import load  # noqa: PLC0415

    return load(config or needed()).state_path
