"""Output for any terminal: what it has no letter for is written with those it has.

A box is reached from old consoles and serial lines too, where text is Latin-1 or ASCII. No verb may end
there because a level is drawn or a reason is Vietnamese.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

__all__ = ["PLAIN", "fit_output"]

PLAIN = "vser-plain"
"""Name of the error handler."""

_INSTEAD = {
    "█": "#", "·": ".", "≥": ">=", "≤": "<=", "±": "+-", "→": "->", "đ": "d", "Đ": "D",
    "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{MINUS SIGN}": "-",
}  # fmt: skip
"""What letters without an ASCII part become."""


def fit_output() -> None:
    """Let standard output and errors take any text, whatever their encoding."""
    codecs.register_error(PLAIN, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_letters, error.object[error.start : error.end])), error.end


def _letters(letter: str) -> str:
    """Vietnamese loses its marks; what has nothing like it becomes a question mark."""
    parts = unicodedata.normalize("NFKD", letter)
    return _INSTEAD.get(letter) or "".join(part for part in parts if part.isascii()) or "?"
