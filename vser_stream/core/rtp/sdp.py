"""What a camera says it sends: the audio tracks of its session description (RFC 4566).

Everything here was declared by a peer and is believed within bounds only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["AudioTrack", "audio_tracks", "receivable", "session_control"]

_STATIC: Mapping[int, tuple[str, int, int]] = MappingProxyType(
    {
        0: ("PCMU", 8000, 1),
        3: ("GSM", 8000, 1),
        8: ("PCMA", 8000, 1),
        9: ("G722", 8000, 1),
        10: ("L16", 44_100, 2),
        11: ("L16", 44_100, 1),
        14: ("MPA", 90_000, 1),
        18: ("G729", 8000, 1),
    }
)
"""Payload types that need no ``rtpmap`` (RFC 3551, table 4): name, clock (Hz), channels."""

_TRACKS = 32
"""No camera has more; the rest is not looked at."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_URL = re.compile(r"[!-~]{1,1000}")


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio track as it was declared."""

    payload_type: int
    """Of its RTP packets."""

    encoding: str
    """In capitals, such as ``PCMA``; empty if it was not said."""

    clock: int
    """Ticks of its RTP timestamps in a second (Hz)."""

    channels: int
    parameters: Mapping[str, str]
    """Of ``fmtp``, names in small letters."""

    control: str
    """Its URL, whole or relative; empty if there is none."""

    direction: str
    """``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``."""


def audio_tracks(description: str) -> list[AudioTrack]:
    """Return the audio tracks in their order; what cannot be read is left out."""
    session, *media = _sections(description)
    direction = _direction(session, "sendrecv")
    tracks = (_track(lines, direction) for lines in media[:_TRACKS])
    return [track for track in tracks if track is not None]


def receivable(tracks: list[AudioTrack]) -> list[AudioTrack]:
    """Return the tracks that bring sound from the camera, best first.

    ``sendonly`` is the camera's loudspeaker (ONVIF Streaming Specification 5.3.1). A camera that says it
    of all its tracks means itself.
    """
    active = [track for track in tracks if track.direction != "inactive"]
    return [track for track in active if track.direction != "sendonly"] or active


def session_control(description: str) -> str:
    """Return the URL that plays the whole session, whole or relative; ``*`` if there is none."""
    return _control(_sections(description)[0]) or "*"


def _sections(description: str) -> list[list[str]]:
    """Lines of the session, then of each medium."""
    sections: list[list[str]] = [[]]
    for line in description.splitlines():
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line.strip())
    return sections


def _track(lines: list[str], direction: str) -> AudioTrack | None:
    words = lines[0].removeprefix("m=").split()
    if len(words) < 4 or words[0] != "audio" or not _NUMBER.fullmatch(words[3]):  # noqa: PLR2004 - type port protocol format
        return None
    payload_type = int(words[3])
    encoding, clock, channels = _map(lines, payload_type)
    return AudioTrack(
        payload_type=payload_type,
        encoding=encoding,
        clock=clock,
        channels=channels,
        parameters=MappingProxyType(dict(_parameters(lines, payload_type))),
        control=_control(lines),
        direction=_direction(lines, direction),
    )


def _map(lines: list[str], payload_type: int) -> tuple[str, int, int]:
    for words in _attributes(lines, "rtpmap"):
        number, _, rest = words.partition(" ")
        name, clock, channels, *_ = [*rest.strip().split("/"), "", ""]
        if number == str(payload_type) and _NUMBER.fullmatch(clock):
            return name.upper(), int(clock), int(channels) if _NUMBER.fullmatch(channels) else 1
    return _STATIC.get(payload_type, ("", 0, 0))


def _parameters(lines: list[str], payload_type: int) -> Iterator[tuple[str, str]]:
    for words in _attributes(lines, "fmtp"):
        number, _, rest = words.partition(" ")
        if number == str(payload_type):
            for pair in rest.split(";"):
                name, _, value = pair.strip().partition("=")
                yield name.lower(), value.strip()


def _control(lines: list[str]) -> str:
    found = (value for value in _attributes(lines, "control") if _URL.fullmatch(value))
    return next(found, "")


def _direction(lines: list[str], default: str) -> str:
    said = [line[2:] for line in lines if line in _DIRECTIONS]
    return said[-1] if said else default


_DIRECTIONS = frozenset({"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"})


def _attributes(lines: list[str], name: str) -> Iterator[str]:
    prefix = f"a={name}:"
    return (line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix))
