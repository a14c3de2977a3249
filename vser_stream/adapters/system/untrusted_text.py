"""Text that somebody else wrote, before it is believed or shown."""

from __future__ import annotations

from vser_stream.core.wire.strict_json import loads as parse_json

__all__ = ["parse_json", "printable"]


def printable(text: str) -> str:
    """The text without what would steer a terminal: escapes, line ends, marks that turn it around."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
