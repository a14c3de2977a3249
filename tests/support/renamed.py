"""A copy of the package under other names of modules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import vser_stream

__all__ = ["renamed"]


def renamed(folder: Path, names: Mapping[str, str]) -> Path:
    """Copy the package into a folder and give modules other names and places; return the copy.

    Args:
        folder: Where the copy goes; on the path, it is imported from there.
        names: Old and new dotted name of modules, below the package.
    """
    copy = folder / "vser_stream"
    shutil.copytree(vser_stream.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
    for old, new in names.items():
        target = copy.joinpath(*new.split(".")).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        copy.joinpath(*old.split(".")).with_suffix(".py").rename(target)
    for file in copy.rglob("*.py"):
        text = file.read_text("utf-8")
        for old, new in names.items():
            text = re.sub(rf"\bvser_stream\.{re.escape(old)}\b", f"vser_stream.{new}", text)
        file.write_text(text, "utf-8")
    return copy
