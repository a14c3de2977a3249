"""Recordings as an audio source: any container FFmpeg reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vser_stream.adapters.audio.arrival_clock import wall_time
from vser_stream.adapters.audio.ffmpeg import Fault, MediaError, decode
from vser_stream.errors import AudioError
from vser_stream.values import RATE, Block, Pcm

__all__ = ["BLOCK", "Recording"]

BLOCK = RATE // 10
"""Length of every block but the last, 100 ms (samples)."""

_SLICE = 0.05
"""Longest sleep between two looks at the stop flag (s)."""

_LOG = logging.getLogger(__name__)

_WORDS = {
    Fault.UNREADABLE: "not a recording FFmpeg can read; record or convert it again, for example to WAV",
    Fault.NO_AUDIO: "it has no audio track; give a recording with sound",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, resampled and downmixed where needed; 16 kHz mono int16 comes through bit by bit.

    Damage inside the file (packets that do not decode, samples that are no numbers) becomes a
    cut or silence and one warning: the rest is still worth hearing.
    """

    path: Path

    realtime: bool = field(default=False, kw_only=True)
    """Deliver as a live source would: at the pace of the wall clock, heard from now on."""

    started_at: float = field(default=0.0, kw_only=True)
    """Wall time of the first sample unless ``realtime`` (s)."""

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        """Yield the whole file; see :class:`~vser_stream.ports.AudioSource`.

        Raises:
            AudioError: It is missing, no recording, damaged beyond use, or holds no samples.
        """
        began, position = time.monotonic(), 0
        with closing(self._decoded()) as parts:
            for pcm in _cut(parts):
                start, position = position, position + len(pcm)
                heard_at = self.started_at + start / RATE
                if self.realtime:
                    _sleep_until(began + position / RATE, stopped)
                    heard_at = wall_time(began + start / RATE)
                if stopped():
                    return
                yield Block(pcm, start=start, heard_at=heard_at)

    def _decoded(self) -> Generator[Pcm]:
        self._check()
        n = damaged = 0
        try:
            # The prefix keeps a name from being a protocol; FFmpeg lets a file name only other files.
            with closing(decode(f"file:{self.path}")) as chunks:
                for chunk in chunks:
                    n, damaged = n + len(chunk.pcm), damaged + chunk.damaged
                    yield chunk.pcm
        except MediaError as exc:
            raise AudioError(f"{self.path}: {_in_words(exc, n)}") from exc
        if n == 0:
            raise AudioError(f"{self.path}: no audio could be decoded; record or convert it again")
        if damaged:
            _LOG.warning("recording is damaged: path=%s damaged_packets=%d", self.path, damaged)

    def _check(self) -> None:
        if self.path.is_dir():
            raise AudioError(f"{self.path}: is a directory; give the path of a recording")
        if not self.path.exists():
            raise AudioError(f"{self.path}: no such file; check the path")
        if not self.path.is_file():
            raise AudioError(f"{self.path}: is not a regular file; give the path of a recording")
        if self.path.stat().st_size == 0:
            raise AudioError(f"{self.path}: the file is empty; record or copy it again")


def _in_words(exc: MediaError, n: int) -> str:
    if n:
        return f"damaged {n / RATE:.1f} s into the audio ({exc.reason}); record or copy it again"
    return _WORDS.get(exc.fault, f"cannot be read ({exc.reason}); check the file and its permissions")


def _cut(parts: Iterator[Pcm]) -> Iterator[Pcm]:
    """The same audio in parts of :data:`BLOCK` samples, and what is left."""
    held: list[Pcm] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) < BLOCK:
            continue
        joined = np.concatenate(held)
        whole = len(joined) // BLOCK * BLOCK
        yield from (block.copy() for block in np.split(joined[:whole], whole // BLOCK))
        held = [joined[whole:]]
    rest = np.concatenate(held) if held else np.empty(0, np.int16)
    if len(rest):
        yield rest


def _sleep_until(due: float, stopped: Callable[[], bool]) -> None:
    while (left := due - time.monotonic()) > 0 and not stopped():
        time.sleep(min(left, _SLICE))
