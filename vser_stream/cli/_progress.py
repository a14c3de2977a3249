"""What long work is run with, and its progress in bars, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vser_stream.cli._extras import needs_train

if TYPE_CHECKING:
    from vser_stream.training.run import Run

__all__ = ["bars", "running"]


@contextlib.contextmanager
def running(*, seed: int, cache: Path | None, processes: int) -> Iterator[Run]:
    """Yield what a training or a study is run with, its progress in bars.

    Args:
        seed: Seed of every random draw.
        cache: Folder for computed features; None for the usual one.
        processes: To use.
    """
    with needs_train():
        from vser_stream.training.data.feature_cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.run import Run  # noqa: PLC0415 - extra [train]
    with bars() as progress:
        yield Run(
            seed=seed,
            cache=FeatureCache(cache, processes=processes),
            processes=processes,
            progress=progress,
        )


@contextlib.contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what is called with a stage, the steps done and the steps there are."""
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stages: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = progress.add_task(stage, total=total)
            progress.update(stages[stage], completed=done)

        yield tell
