"""A microphone as an audio source, read by a child process that can be killed."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, cast

import numpy as np

from vser_stream.adapters.audio import microphone_child
from vser_stream.adapters.audio.arrival_clock import ArrivalClock
from vser_stream.adapters.audio.ffmpeg import PcmResampler
from vser_stream.errors import CaptureError
from vser_stream.values import RATE, Block, Pcm

__all__ = ["InputDevice", "Microphone", "list_inputs"]

_POLL = 0.1
"""Longest wait between two looks at the stop flag (s)."""

_GAP = 0.5
"""A device delivers every 50 to 100 ms and buffers 400 ms; a longer silence lost audio (s)."""

_UNDER_WAY = 0.3
"""Audio that may still be under way when a stall ends, so it does not count as lost (s)."""

_PIPE = 65_536
"""What Linux keeps for a slow reader: 2 s (bytes)."""

_KILLED = 2.0
"""A killed process is gone after this, unless the kernel's sound driver hangs (s)."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One audio input of this box."""

    index: int
    name: str
    host_api: str
    channels: int

    rate: int
    """Its own sampling rate (Hz)."""

    is_default: bool


def list_inputs(*, timeout: float = 5.0) -> list[InputDevice]:
    """The audio inputs there are now.

    Raises:
        CaptureError: sounddevice or PortAudio is missing, or the sound server hangs.
    """
    with _answering("sound system", ["list"], patience=timeout, stopped=lambda: False) as (_, answer):
        pass
    return [InputDevice(**device) for device in answer["inputs"]] if answer else []


@dataclass(frozen=True, slots=True)
class Microphone:
    """An audio input in 16 kHz mono, resampled here if the device knows only other rates.

    Audio lost by a stall (of the device, the sound server or the box) is told by the clock:
    PortAudio's overflow flag stayed silent in every such case measured.
    """

    device: str = "default"
    """``default``, an index, a name, or a part of one name, as ``vser-stream devices`` lists them."""

    stall_after: float = field(default=5.0, kw_only=True)
    """Longest silence of the device, also at its start, where 2 s are normal (s)."""

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        """Yield audio as it arrives; see :class:`~vser_stream.ports.AudioSource`.

        Raises:
            CaptureError: There is no such device, or it went away, or stalls.
        """
        name, arguments = f"microphone {self.device!r}", ["capture", self.device, str(RATE)]
        with _answering(name, arguments, patience=self.stall_after, stopped=stopped) as (child, shape):
            if shape is None:
                return
            resampler = PcmResampler(**shape)
            clock, end, heard = ArrivalClock(), 0, time.monotonic()
            parts = child.audio(2 * shape["channels"], patience=self.stall_after, stopped=stopped)
            for interleaved in parts:
                pcm = resampler.feed(interleaved)
                now = time.monotonic()
                start = end + (_lost(now - heard, len(pcm)) if end else 0)
                end, heard = start + len(pcm), now
                yield Block(pcm, start=start, heard_at=clock.heard_at(start, len(pcm)))


def _lost(elapsed: float, n: int) -> int:
    """Samples that went missing when ``n`` arrived after ``elapsed`` seconds."""
    lost = round(elapsed * RATE) - n
    if elapsed <= _GAP or lost <= _UNDER_WAY * RATE:
        return 0
    _LOG.warning("microphone stalled: lost=%.3f s", lost / RATE)
    return lost


class _DiedError(CaptureError):
    """The child process ended by itself."""


class _Child:
    """Reads what :mod:`vser_stream.adapters.audio.microphone_child` writes."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._name, self._process = name, process
        self._output = cast("IO[bytes]", process.stdout).fileno()  # PIPE was asked for
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._held = b""
        self._heard = time.monotonic()

    def answer(self, *, patience: float, stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Its first line; None if stopped before.

        Raises:
            CaptureError: It says what is wrong, or says nothing.
        """
        while b"\n" not in self._held:
            data = self._read(patience, stopped)
            if data is None:
                return None
            self._held += data
        line, self._held = self._held.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CaptureError(f"{self._name}: {answer['error']}")
        return answer

    def audio(self, width: int, *, patience: float, stopped: Callable[[], bool]) -> Iterator[Pcm]:
        """Interleaved samples in whole frames of ``width`` bytes until stopped.

        Raises:
            CaptureError: The device went away or stalls.
        """
        while (data := self._read(patience, stopped)) is not None:
            self._held += data
            whole = len(self._held) // width * width
            part, self._held = self._held[:whole], self._held[whole:]
            if part:
                yield np.frombuffer(part, np.int16)

    def _read(self, patience: float, stopped: Callable[[], bool]) -> bytes | None:
        began = time.monotonic()
        while not stopped():
            if self._poll.poll(_POLL * 1000):
                if time.monotonic() - self._heard > _GAP:
                    time.sleep(_POLL)  # a backlog comes in pieces; what lacks then is lost
                self._heard = time.monotonic()
                data = os.read(self._output, _PIPE)
                if not data and not stopped():
                    raise self._died()
                return data or None
            if time.monotonic() - began > patience:
                raise CaptureError(
                    f"{self._name}: silent for {patience:g} s; check the device and the sound server"
                )
        return None

    def _died(self) -> _DiedError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED)
        code = self._process.returncode or 0
        how = f" ({signal.Signals(-code).name})" if code < 0 else f" (exit code {code})" if code else ""
        return _DiedError(f"{self._name}: went away{how}; check the device and the sound server")


@contextmanager
def _answering(
    name: str, arguments: list[str], *, patience: float, stopped: Callable[[], bool]
) -> Iterator[tuple[_Child, dict[str, Any] | None]]:
    """A process and its first line; one that dies before that is started once more.

    Sound libraries crash now and then while they look for devices: once in some 10,000 starts here.
    """
    for another in (True, False):
        with _started(name, arguments) as child:
            try:
                answer = child.answer(patience=patience, stopped=stopped)
            except _DiedError as exc:
                if not another:
                    raise
                _LOG.warning("microphone process restarted: %s", exc)
                continue
            yield child, answer
            return


@contextmanager
def _started(name: str, arguments: list[str]) -> Iterator[_Child]:
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", microphone_child.__name__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield _Child(name, process)
    finally:
        process.kill()
        try:
            process.communicate(timeout=_KILLED)
        except subprocess.TimeoutExpired:
            _LOG.exception("microphone process did not exit after SIGKILL: pid=%d", process.pid)
