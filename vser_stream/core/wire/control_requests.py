"""What somebody at this box may ask of the daemon itself, as lines of JSON on a local socket.

Questions about alarms go over the broker instead (:mod:`vser_stream.core.wire.commands`): whoever takes care
is seldom at this box.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = ["CALIBRATE_LONGEST", "Calibrate", "Forget", "Purge", "Reload", "Request", "parse"]

CALIBRATE_LONGEST = 600.0
"""Nobody speaks calmly for longer (s)."""


class _Request(BaseModel):
    """Closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibrate(_Request):
    """Listen to a source while its person speaks calmly, and keep that as the calm voice."""

    do: Literal["calibrate"] = "calibrate"
    source: str = Field(max_length=64)
    seconds: float = Field(ge=5.0, le=CALIBRATE_LONGEST, description="s to listen")


class Forget(_Request):
    """Forget the calm voice of a source, and what its room is like."""

    do: Literal["forget"] = "forget"
    source: str = Field(max_length=64)


class Purge(_Request):
    """Delete evidence for good."""

    do: Literal["purge"] = "purge"
    before: float | None = Field(allow_inf_nan=False, description="wall time (s); null: all of it")


class Reload(_Request):
    """Read the configuration again."""

    do: Literal["reload"] = "reload"


Request = Calibrate | Forget | Purge | Reload

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


def parse(line: bytes) -> Request:
    """Read a request.

    Raises:
        ValueError: It is none; the message is one line.
    """
    return _REQUEST.validate_json(line)
