"""Verbs that need more than the daemon does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from vser_stream.errors import UserError

__all__ = ["needs_train"]


@contextlib.contextmanager
def needs_train() -> Iterator[None]:
    """Turn a missing library of the extra ``train`` into words.

    Raises:
        UserError: It is missing.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        raise UserError(f"{exc.name} is missing; install it with: pip install 'vser-stream[train]'") from exc
