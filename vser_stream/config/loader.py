"""Reads and checks a configuration file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vser_stream.config.complaints import complaints
from vser_stream.config.schema import Config
from vser_stream.errors import ConfigError
from vser_stream.files import read_text

__all__ = ["checked", "load"]

INSTALLED = Path("/etc/vser-stream/vser.toml")
"""Where deploy/install.sh puts the configuration of the service."""

SERVICE_STATE = Path("/var/lib/vser-stream")
"""What systemd gives the service as $STATE_DIRECTORY."""


def load(path: Path) -> Config:
    """Read and check a configuration file.

    From anybody's shell the installed one means what it means to the service.

    Raises:
        ConfigError: The file is missing, is no TOML, or has a wrong or unknown key.
    """
    try:
        document = tomllib.loads(read_text(path))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, RecursionError) as exc:  # RecursionError: of a thousand brackets
        raise ConfigError(f"{path}: not a TOML file: {_one_line(exc)}") from exc
    config = checked(document, path)
    if config.state_dir is None and "STATE_DIRECTORY" not in os.environ and path.resolve() == INSTALLED:
        return config.model_copy(update={"state_dir": SERVICE_STATE})
    return config


def checked(document: Mapping[str, Any], path: Path) -> Config:
    """The configuration that a document from a file is.

    Raises:
        ConfigError: It has a wrong or unknown key.
    """
    try:
        return Config.model_validate(document, context={"folder": path.parent})
    except ValidationError as exc:
        # Not "from exc": a traceback would show what stands in the file.
        raise ConfigError(f"{path}: {complaints(exc, Config, document)}") from None


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())[:200]
