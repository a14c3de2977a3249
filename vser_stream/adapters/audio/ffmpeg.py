"""Recordings, and what cameras and microphones send, as 16 kHz mono int16: decoded by FFmpeg through PyAV.

PyAV keeps FFmpeg's own log quiet.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

import av
import numpy as np

from vser_stream.core.audio.downmix import Downmix
from vser_stream.core.rtp.payload import Coding, SupportedRates
from vser_stream.values import RATE, Pcm

__all__ = ["Chunk", "Fault", "MediaError", "PacketDecoder", "PcmResampler", "decode"]

_EMPTY: Pcm = np.empty(0, np.int16)

# Tags in an old encoding are no reason to refuse a recording; since PyAV 19 they never are.
_PYAV = tuple(int(part) for part in av.__version__.split(".")[:2])
_ANY_TAGS: dict[str, Any] = {} if _PYAV >= (19, 0) else {"metadata_errors": "replace"}


class Fault(Enum):
    """What is wrong, as far as it changes what a person has to do."""

    UNREADABLE = auto()
    NO_AUDIO = auto()
    ABSURD = auto()
    """Figures that cannot be true."""

    NO_HOST = auto()
    REFUSED = auto()
    NOT_RTSP = auto()
    UNAUTHORIZED = auto()
    NOT_FOUND = auto()
    TRANSPORT = auto()
    """TCP where only UDP goes, or the other way round."""

    SENT_ON = auto()
    """To the URL that is the reason."""

    REJECTED = auto()
    TIMED_OUT = auto()
    CLOSED = auto()
    OTHER = auto()


_FAULTS: tuple[tuple[type[av.FFmpegError], Fault], ...] = (
    (av.error.InvalidDataError, Fault.UNREADABLE),
    (av.error.EOFError, Fault.UNREADABLE),
)


class MediaError(Exception):
    """A recording or a camera is not heard; the caller says it in words, for it knows what it opened."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault, self.reason = fault, reason


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What one step of decoding gave; empty where a packet held no audio yet."""

    pcm: Pcm
    """16 kHz mono, shape (n,)."""

    duration: float = 0.0
    """Length of the decoded frame (s); ``pcm`` trails it by the delay of the resampler."""

    damaged: bool = False
    """A packet could not be decoded, or held samples that are no numbers."""


def decode(url: str) -> Generator[Chunk]:
    """Open a recording, yield an audio track at least once per packet, close it.

    Of several tracks the best one that is not silent throughout.

    Raises:
        MediaError: It cannot be opened, holds no audio track, or reading failed.
    """
    first, *others = _audio_tracks(url)
    chosen = next((index for index in (first, *others) if _sounds(url, index)), first) if others else first
    yield from _decoded(url, chosen)


class PacketDecoder:
    """Coded frames of one track, as a camera sends them, to 16 kHz mono; keeps state.

    Raises:
        MediaError: There is no such decoder, or it does not take these figures.
    """

    def __init__(self, coding: Coding) -> None:
        with _translated():
            context = cast("av.AudioCodecContext", av.CodecContext.create(coding.decoder, "r"))
            context.sample_rate = coding.rate
            context.layout = _LAYOUTS.get(coding.channels, f"{coding.channels}C")
            context.options = dict(coding.options)
            if coding.extradata:
                context.extradata = coding.extradata
            context.open()
        self._context, self._is_stream = context, coding.is_stream
        self._resampler = _Resampler()

    def feed(self, coded: bytes) -> Chunk:
        """Decode the next frame, or in a stream the next piece."""
        if not coded:  # which would end the decoder
            return Chunk(_EMPTY)
        try:
            with _translated():
                packets = self._context.parse(coded) if self._is_stream else [av.Packet(coded)]
                frames = [frame for packet in packets for frame in self._context.decode(packet)]
        except MediaError:
            return Chunk(_EMPTY, damaged=True)
        parts = [self._resampler.feed(frame) for frame in frames]
        return Chunk(
            np.concatenate([_EMPTY, *(pcm for pcm, _ in parts)]),
            duration=sum(frame.samples / frame.sample_rate for frame in frames),
            damaged=any(damaged for _, damaged in parts),
        )


class PcmResampler:
    """Interleaved int16 of a device to 16 kHz mono; keeps state over calls.

    Args:
        rate: Of the device (Hz).
        channels: Of the device.
    """

    def __init__(self, *, rate: int, channels: int) -> None:
        self._rate, self._layout = rate, _LAYOUTS.get(channels, f"{channels}C")
        self._resampler = _Resampler()

    def feed(self, interleaved: Pcm) -> Pcm:
        """Convert the next samples, shape (n * channels,); the answer trails by about 1 ms."""
        frame = av.AudioFrame.from_ndarray(interleaved.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = self._rate
        return self._resampler.feed(frame)[0]


_LAYOUTS = {1: "mono", 2: "stereo"}
"""Others have no names that matter here: ``6C`` is six channels in the order of the device."""

_OURS = {("s16", "mono", RATE), ("s16p", "mono", RATE)}
"""Format, layout and rate of audio that is as we want it: the resampler would only copy it."""

_CHANNELS = 64
"""What FFmpeg's resampler takes."""


class _Resampler:
    """Resamples and downmixes; follows a change of format inside the stream."""

    def __init__(self) -> None:
        self._packer: av.AudioResampler | None = None
        self._resampler = av.AudioResampler("s16", "mono", RATE)
        self._shape: tuple[str, str, int] | None = None
        self._downmix: Downmix | None = None

    def feed(self, frame: av.AudioFrame) -> tuple[Pcm, bool]:
        """Return the audio, and whether samples in it were no numbers, which are silence then.

        Raises:
            MediaError: The frame is like no audio.
        """
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        with _translated():
            tail = self._begin(frame, shape) if shape != self._shape else _EMPTY
            if shape in _OURS:
                return np.concatenate([tail, _joined([frame])]), False
            packed = [frame] if self._packer is None else self._packer.resample(frame)
            finite = [_finite(one) for one in packed]
            ours = [one for each in finite for one in self._resampler.resample(each)]
            damaged = any(one is not other for one, other in zip(packed, finite, strict=True))
            return np.concatenate([tail, self._mixed(ours)]), damaged

    def flush(self) -> Pcm:
        """What the filter still holds; feed no more of the same shape after it."""
        if self._shape in {None, *_OURS}:
            return _EMPTY
        with _translated():
            return self._mixed(self._resampler.resample(None))

    def _begin(self, frame: av.AudioFrame, shape: tuple[str, str, int]) -> Pcm:
        rate, channels, name = frame.sample_rate, frame.layout.nb_channels, frame.format.name
        if not SupportedRates.lowest <= rate <= SupportedRates.highest:
            raise MediaError(Fault.ABSURD, f"a sampling rate of {rate} Hz")
        if channels > _CHANNELS:
            raise MediaError(Fault.ABSURD, f"{channels} channels")
        tail = self.flush()
        # PyAV reads past the planes of eight channels and more (measured: it crashes): one plane is safe.
        planar_float = name in {"fltp", "dblp"} and channels > 1
        self._packer = av.AudioResampler(name[:3], frame.layout, rate) if planar_float else None
        self._resampler = av.AudioResampler("s16", frame.layout, RATE)
        self._downmix = Downmix(channels) if channels > 1 else None
        self._shape = shape
        return tail

    def _mixed(self, frames: list[av.AudioFrame]) -> Pcm:
        pcm = _joined(frames)
        return pcm if self._downmix is None else self._downmix.feed(pcm.reshape(-1, self._downmix.channels))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever PyAV raises into a :class:`MediaError`: its C code meets bytes of strangers."""
    try:
        yield
    except MediaError:
        raise
    except av.FFmpegError as exc:
        fault = next((fault for kind, fault in _FAULTS if isinstance(exc, kind)), Fault.OTHER)
        raise MediaError(fault, exc.strerror or "unknown error") from exc
    except Exception as exc:
        raise MediaError(Fault.UNREADABLE, f"{type(exc).__name__} in FFmpeg's binding") from exc


@contextmanager
def _opened(url: str) -> Iterator[av.container.InputContainer]:
    with _translated():
        container = av.open(url, **_ANY_TAGS)
    try:
        yield container
    finally:
        container.close()


def _audio_tracks(url: str) -> list[int]:
    """Their numbers, the one that FFmpeg thinks best first."""
    with _opened(url) as container, _translated():
        tracks = [stream.index for stream in container.streams.audio]
        best = container.streams.best("audio")
        if not tracks:
            raise MediaError(Fault.NO_AUDIO, "no audio track")
        if not isinstance(best, av.AudioStream) or best.codec_context is None:
            raise MediaError(Fault.UNREADABLE, "unknown codec")
        return [best.index, *(index for index in tracks if index != best.index)]


def _sounds(url: str, index: int) -> bool:
    with closing(_decoded(url, index)) as chunks:
        return any(np.abs(chunk.pcm).max(initial=0) > _SILENT for chunk in chunks)


_SILENT = 1
"""Largest magnitude of a track that holds nothing but dither."""


def _decoded(url: str, index: int) -> Generator[Chunk]:
    with _opened(url) as container:
        stream = cast("av.AudioStream", container.streams[index])  # one of its audio streams
        resampler = _Resampler()
        with closing(_packets(container, stream)) as packets:
            for packet in packets:
                yield from _chunks(packet, resampler)
        yield Chunk(resampler.flush())


def _packets(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Generator[av.Packet[av.AudioStream]]:
    with _translated():
        yield from container.demux(stream)


def _chunks(packet: av.Packet[av.AudioStream], resampler: _Resampler) -> Iterator[Chunk]:
    try:
        with _translated():
            frames = packet.decode()
    except MediaError:
        yield Chunk(_EMPTY, damaged=True)
        return
    for frame in frames:
        pcm, damaged = resampler.feed(frame)
        yield Chunk(pcm, duration=frame.samples / frame.sample_rate, damaged=damaged)
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
