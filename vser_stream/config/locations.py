"""Where what came with this installation lies, and where what it keeps goes."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

__all__ = ["cache_folder", "shipped_model", "shipped_reasoner", "shipped_rules", "state_folder"]

SHIPPED_MODEL = "calm-angry-panic"


def state_folder() -> Path:
    """Where everything that must survive a restart goes, unless it is told otherwise."""
    if by_systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(by_systemd.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return Path(home or Path.home() / ".local/state") / "vser-stream"


def cache_folder() -> Path:
    """Where training keeps what it can compute again, unless it is told otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "vser-stream")


def shipped_model() -> Path:
    """Folder of the model that came with this installation."""
    return _shipped("models") / SHIPPED_MODEL


def shipped_reasoner() -> Path:
    """Folder of the language model that came with this installation; some have none."""
    return _shipped("models") / f"reasoner-{SHIPPED_MODEL}"


def shipped_rules() -> Path:
    """The book of human rules that came with this installation."""
    return _shipped("rules") / f"{SHIPPED_MODEL}.toml"


def _shipped(kind: str) -> Path:
    """Folder of models or rules: inside the package, or at the top of the checkout it lies in.

    A ``models`` beside the installed package is somebody else's.
    """
    package = Path(str(resources.files("vser_stream")))
    inside = package / kind
    return inside if inside.is_dir() else package.parent / kind
