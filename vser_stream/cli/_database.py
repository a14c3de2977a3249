"""The database of the agent on this box, for the verbs that look into it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from vser_stream.config.schema import Config

__all__ = ["at", "database"]


def database(settings: Config) -> Path:
    """The file the agent keeps everything in."""
    return settings.state_path / "outbox.db"


def at(seconds: float) -> str:
    """Unix time for people, UTC; a damaged one is unknown."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (TypeError, ValueError, OverflowError, OSError):
        return "unknown"
