"""Which agent a verb speaks of: the one whose configuration is given, else the one installed on this box."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.config import loader
from vser_stream.errors import UserError

__all__ = ["OfAgent", "default", "needed"]

VARIABLE = "VSER_CONFIG"


def default() -> Path | None:
    """The configuration that is meant where none is given; it is named on standard error."""
    given = os.environ.get(VARIABLE)
    path = Path(given) if given else loader.INSTALLED
    if not given and not path.exists():
        return None
    print(f"vser-stream: configuration {path}", file=sys.stderr)
    return path


def needed() -> Path:
    """The same, where there must be one.

    Raises:
        UserError: There is none.
    """
    path = default()
    if path is None:
        raise UserError(f"no configuration, {loader.INSTALLED} is not there; give --config FILE")
    return path


OfAgent = Annotated[
    Path,
    typer.Option(
        "--config",
        default_factory=needed,
        show_default=f"${VARIABLE}, else {loader.INSTALLED}",
        help="The agent's configuration (TOML).",
    ),
]
