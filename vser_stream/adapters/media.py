"""Any container or stream as 16 kHz mono int16, decoded by FFmpeg through PyAV.

PyAV keeps FFmpeg's own log quiet. Its exceptions hold the whole URL, password included: they are
cut down before they become the cause of a :class:`MediaError`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

import av
import numpy as np

from vser_stream.values import RATE, Pcm

__all__ = ["Chunk", "Fault", "MediaError", "PcmResampler", "Track", "decode", "track_of"]

_EMPTY: Pcm = np.empty(0, np.int16)

# Tags in an old encoding are no reason to refuse a recording; since PyAV 19 they never are.
_PYAV = tuple(int(part) for part in av.__version__.split(".")[:2])
_ANY_TAGS: dict[str, Any] = {} if _PYAV >= (19, 0) else {"metadata_errors": "replace"}


class Fault(Enum):
    """What is wrong, as far as it changes what a person has to do."""

    UNREADABLE = auto()
    NO_AUDIO = auto()
    REFUSED = auto()
    UNAUTHORIZED = auto()
    NOT_FOUND = auto()
    REJECTED = auto()
    TIMED_OUT = auto()
    OTHER = auto()


_FAULTS: tuple[tuple[type[av.FFmpegError], Fault], ...] = (
    (av.error.HTTPUnauthorizedError, Fault.UNAUTHORIZED),
    (av.error.HTTPForbiddenError, Fault.UNAUTHORIZED),
    (av.error.HTTPNotFoundError, Fault.NOT_FOUND),
    (av.error.HTTPClientError, Fault.REJECTED),
    (av.error.ConnectionRefusedError, Fault.REFUSED),
    (av.error.TimeoutError, Fault.TIMED_OUT),
    (av.error.ExitError, Fault.TIMED_OUT),  # PyAV's own timeout interrupts FFmpeg
    (av.error.InvalidDataError, Fault.UNREADABLE),
    (av.error.EOFError, Fault.UNREADABLE),
)


class MediaError(Exception):
    """FFmpeg gave up; the caller says it in words, for it knows what was to be opened."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault, self.reason = fault, reason


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What one step of decoding gave; empty where a packet held no audio yet."""

    pcm: Pcm
    """16 kHz mono, shape (n,)."""

    time: float | None = None
    """Presentation time of the decoded frame by its container (s)."""

    duration: float = 0.0
    """Length of the decoded frame (s); ``pcm`` trails it by the delay of the resampler."""

    damaged: bool = False
    """A packet could not be decoded, or held samples that are no numbers."""


@dataclass(frozen=True, slots=True)
class Track:
    """An audio track as it is stored or sent."""

    codec: str
    """FFmpeg's name, such as ``pcm_alaw``."""

    rate: int
    """Hz."""

    channels: int


def decode(
    url: str,
    *,
    options: Mapping[str, str] = MappingProxyType({}),
    timeout: tuple[float, float] | None = None,
) -> Generator[Chunk]:
    """Open ``url``, yield its best audio track at least once per packet, close it.

    Runs in one thread: closing while another thread reads crashes the process (measured).

    Args:
        url: Anything FFmpeg opens.
        options: Of FFmpeg's protocol and demuxer.
        timeout: Longest wait for opening and for each packet (s).

    Raises:
        MediaError: It cannot be opened, holds no audio track, or reading failed.
    """
    with _opened(url, options=options, timeout=timeout) as container:
        stream = _best_audio(container)
        resampler = _Resampler()
        with closing(_packets(container, stream)) as packets:
            for packet in packets:
                yield from _chunks(packet, resampler)
        yield Chunk(resampler.flush())


def track_of(
    url: str,
    *,
    options: Mapping[str, str] = MappingProxyType({}),
    timeout: tuple[float, float] | None = None,
) -> Track:
    """Open ``url``, say what its best audio track is, close it; arguments as :func:`decode`.

    Raises:
        MediaError: It cannot be opened, or holds no audio track.
    """
    with _opened(url, options=options, timeout=timeout) as container:
        context = _best_audio(container).codec_context
        return Track(context.name, context.sample_rate, context.channels)


class PcmResampler:
    """Interleaved int16 of a device to 16 kHz mono; keeps state over calls.

    Args:
        rate: Of the device (Hz).
        channels: One or two.
    """

    def __init__(self, *, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._resampler = _Resampler()

    def feed(self, interleaved: Pcm) -> Pcm:
        """Convert the next samples, shape (n * channels,); the answer trails by about 1 ms."""
        layout = "mono" if self._channels == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(interleaved.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = self._rate
        return self._resampler.feed(frame)


_OURS = {("s16", "mono", RATE), ("s16p", "mono", RATE)}
"""Format, layout and rate of audio that is as we want it: the resampler would only copy it."""


class _Resampler:
    """Resamples and downmixes; follows a change of format inside the stream."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler("s16", "mono", RATE)
        self._shape: tuple[str, str, int] | None = None

    def feed(self, frame: av.AudioFrame) -> Pcm:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        tail = _EMPTY
        if shape != self._shape:
            tail = self.flush()
            self._resampler = av.AudioResampler("s16", "mono", RATE)
            self._shape = shape
        ours = [frame] if shape in _OURS else self._resampler.resample(frame)
        return np.concatenate([tail, _joined(ours)])

    def flush(self) -> Pcm:
        """What the filter still holds; feed no more of the same shape after it."""
        return _EMPTY if self._shape in {None, *_OURS} else _joined(self._resampler.resample(None))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as exc:
        exc.args = exc.args[:2]  # the third is the URL with its password
        fault = next((fault for kind, fault in _FAULTS if isinstance(exc, kind)), Fault.OTHER)
        raise MediaError(fault, exc.strerror or "unknown error") from exc


@contextmanager
def _opened(
    url: str, *, options: Mapping[str, str], timeout: tuple[float, float] | None
) -> Iterator[av.container.InputContainer]:
    with _translated():
        container = av.open(url, options=dict(options), timeout=timeout, **_ANY_TAGS)
    try:
        yield container
    finally:
        container.close()


def _best_audio(container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio:
        raise MediaError(Fault.NO_AUDIO, "no audio track")
    stream = container.streams.best("audio")
    if not isinstance(stream, av.AudioStream):
        raise MediaError(Fault.UNREADABLE, "unknown codec")
    return stream


def _packets(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Generator[av.Packet[av.AudioStream]]:
    with _translated():
        yield from container.demux(stream)


def _chunks(packet: av.Packet[av.AudioStream], resampler: _Resampler) -> Iterator[Chunk]:
    try:
        frames = packet.decode()
    except av.FFmpegError:
        yield Chunk(_EMPTY, damaged=True)
        return
    for frame in frames:
        finite = _finite(frame)
        yield Chunk(
            resampler.feed(finite),
            time=frame.time,
            duration=frame.samples / frame.sample_rate,
            damaged=finite is not frame,
        )
    if not frames:
        yield Chunk(_EMPTY)


def _finite(frame: av.AudioFrame) -> av.AudioFrame:
    """The frame with silence for every NaN and infinity; the very same frame if it has none."""
    if not frame.format.name.startswith(("flt", "dbl")):
        return frame
    samples = frame.to_ndarray()
    finite = np.isfinite(samples)
    if finite.all():
        return frame
    samples[~finite] = 0.0
    repaired = av.AudioFrame.from_ndarray(samples, format=frame.format, layout=frame.layout)
    repaired.sample_rate, repaired.pts, repaired.time_base = frame.sample_rate, frame.pts, frame.time_base
    return repaired


def _joined(frames: list[av.AudioFrame]) -> Pcm:
    return np.concatenate([_EMPTY, *(frame.to_ndarray()[0].astype(np.int16) for frame in frames)])
