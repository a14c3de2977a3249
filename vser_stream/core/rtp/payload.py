"""From the payload of RTP packets to what a decoder takes: one unpacking for each format.

Formats: RFC 3551 (G.711, G.722, G.726, L8, L16, GSM, G.729), 3190 (L24), 7587 (Opus), 5574 (Speex), 3640
(MPEG-4), 6416 (LATM), 2250 (MPEG audio), 4867 (AMR), 4184 (AC-3), 3952 (iLBC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vser_stream.core.rtp.packets import RtpPacket
from vser_stream.core.rtp.sdp import AudioTrack

__all__ = ["Coding", "SupportedRates", "Unpack", "coding_of", "refusal", "unpacker"]

Unpack = Callable[[RtpPacket], list[bytes]]
"""Takes each packet in order; returns the coded frames that it completed."""

_MOST = 1 << 16
"""Longest coded frame that is put together from packets (bytes)."""

_UNITS = 64
"""Most access units of one packet: AAC has 15 to 47 a second."""


class SupportedRates:
    """What a peer may declare: no microphone samples slower, and each Hz less makes more audio of a byte."""

    lowest = 4_000
    highest = 192_000
    channels = 32


@dataclass(frozen=True, slots=True)
class Coding:
    """How a track is decoded."""

    decoder: str
    """FFmpeg's name."""

    rate: int
    """Of the decoded audio as far as it was declared (Hz)."""

    channels: int
    extradata: bytes = b""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_stream: bool = False
    """Frames do not begin where packets do; a parser finds them."""


_DECODERS: Mapping[str, str] = MappingProxyType(
    {
        "PCMU": "pcm_mulaw",
        "PCMA": "pcm_alaw",
        "L8": "pcm_u8",
        "L16": "pcm_s16be",
        "L24": "pcm_s24be",
        "G722": "g722",
        "GSM": "gsm",
        "G729": "g729",
        "ILBC": "ilbc",
        "OPUS": "opus",
        "SPEEX": "speex",
        "AMR": "amrnb",
        "AMR-WB": "amrwb",
        "MPA": "mp3float",
        "AC3": "ac3",
        "EAC3": "eac3",
        "MPEG4-GENERIC": "aac",
        "MP4A-LATM": "aac",
        **{f"G726-{kbit}": "g726le" for kbit in (16, 24, 32, 40)},
        **{f"AAL2-G726-{kbit}": "g726" for kbit in (16, 24, 32, 40)},
    }
)
"""Encoding name of a track, and FFmpeg's name of its decoder."""

_RATES: Mapping[str, int] = MappingProxyType({"G722": 16_000, "MPA": 44_100})
"""Where the clock is no sampling rate: an old mistake (RFC 3551 4.5.2), and 90 kHz as for video."""

_STREAMS = frozenset({"MPA", "AC3", "EAC3", "G729"})


def coding_of(track: AudioTrack) -> Coding | None:
    """How to decode a track; None if nobody here can."""
    name = track.encoding
    decoder = _DECODERS.get(name)
    extradata = _extradata(track)
    if decoder is None or (decoder == "aac" and not extradata):
        return None
    return Coding(
        decoder,
        _RATES.get(name, track.clock),
        track.channels,
        extradata=extradata,
        options=MappingProxyType(dict(_options(track))),
        is_stream=name in _STREAMS,
    )


def _extradata(track: AudioTrack) -> bytes:
    if track.encoding == "MPEG4-GENERIC":
        return _hex(track, "config")
    return _latm_config(track) if track.encoding == "MP4A-LATM" else b""


def _options(track: AudioTrack) -> Iterator[tuple[str, str]]:
    name, _, kbit = track.encoding.rpartition("-")
    if name.endswith("G726"):
        yield "bits_per_coded_sample", str(int(kbit) // 8)  # of 8,000 samples a second
    if track.encoding == "ILBC":
        yield "block_align", "38" if track.parameters.get("mode") == "20" else "50"


def refusal(track: AudioTrack) -> str | None:
    """Why the figures of a track cannot be true; None if they can."""
    coding = coding_of(track)
    if coding is None:
        return f"its audio is {track.encoding[:20] or 'of an unnamed kind'}, which cannot be decoded"
    rates = SupportedRates
    if not rates.lowest <= coding.rate <= rates.highest:
        return f"it declares a sampling rate of {coding.rate} Hz"
    if not 1 <= coding.channels <= rates.channels:
        return f"it declares {coding.channels} channels"
    return None


def unpacker(track: AudioTrack) -> Unpack:
    """Return what unpacks the packets of a track that has a coding; keeps state."""
    match track.encoding:
        case "MPEG4-GENERIC":
            return _AccessUnits(track)
        case "MP4A-LATM":
            return _latm
        case "MPA":
            return lambda packet: [packet.payload[4:]]
        case "AC3" | "EAC3":
            return lambda packet: [packet.payload[2:]]
        case "AMR" | "AMR-WB":
            return _Amr(_AMR_WB if track.encoding == "AMR-WB" else _AMR)
        case _:
            return lambda packet: [packet.payload]


class _AccessUnits:
    """MPEG-4 access units behind a table of their sizes (RFC 3640 3.2)."""

    def __init__(self, track: AudioTrack) -> None:
        self._size_bits = _number(track, "sizelength", 0)
        self._constant = _number(track, "constantsize", 0)
        self._index_bits = _number(track, "indexlength", 0)
        self._begun = b""

    def __call__(self, packet: RtpPacket) -> list[bytes]:
        payload, width = packet.payload, self._size_bits + self._index_bits
        if not width:
            return [payload]
        bits = int.from_bytes(payload[:2])
        table, data = payload[2 : 2 + (bits + 7) // 8], payload[2 + (bits + 7) // 8 :]
        count = min(bits, 8 * len(table)) // width
        sizes = [self._size(table, width * unit) for unit in range(min(count, _UNITS))]
        if len(sizes) == 1 and sizes[0] > len(data):
            return self._fragment(sizes[0], data)
        self._begun = b""
        units = []
        for size in sizes:
            units.append(data[:size])
            data = data[size:]
        return [unit for unit in units if unit]

    def _size(self, table: bytes, at: int) -> int:
        if not self._size_bits:
            return self._constant
        whole = int.from_bytes(table)
        return (whole >> (8 * len(table) - at - self._size_bits)) & ((1 << self._size_bits) - 1)

    def _fragment(self, size: int, data: bytes) -> list[bytes]:
        self._begun = (self._begun + data)[:_MOST]
        if len(self._begun) < size:
            return []
        unit, self._begun = self._begun[:size], b""
        return [unit]


def _latm(packet: RtpPacket) -> list[bytes]:
    """Frames each behind its length: bytes of 255 and one that is less (ISO 14496-3, 1.7.3.1)."""
    frames, data = [], packet.payload
    while data:
        n = 0
        while n < len(data) - 1 and data[n] == 255:  # noqa: PLR2004 - as above
            n += 1
        size = 255 * n + data[n]
        frames.append(data[n + 1 : n + 1 + size])
        data = data[n + 1 + size :]
    return [frame for frame in frames if frame]


_AMR = (12, 13, 15, 17, 19, 20, 26, 31, 5)
_AMR_WB = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5)
"""Bytes of a frame of each type, the comfort noise last (RFC 4867 4.3.2; 3GPP TS 26.101, 26.201)."""


class _Amr:
    """Octet-aligned frames behind a table of contents (RFC 4867 4.4)."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = sizes

    def __call__(self, packet: RtpPacket) -> list[bytes]:
        payload, entries = packet.payload[1:], []
        for entry in payload:
            entries.append(entry)
            if not entry & 0x80:
                break
        data, frames = payload[len(entries) :], []
        for entry in entries:
            kind = (entry >> 3) & 0x0F
            size = self._sizes[kind] if kind < len(self._sizes) else 0
            frames.append(bytes([entry & 0x7F]) + data[:size])
            data = data[size:]
        return frames


def _latm_config(track: AudioTrack) -> bytes:
    """The audio's own configuration: 15 bits into the multiplex's (ISO 14496-3, table 1.42)."""
    config = _hex(track, "config")
    if track.parameters.get("cpresent") != "0" or len(config) < 3 or config[0] & 0x80:  # noqa: PLR2004 - 15 bits and more
        return b""
    bits = 8 * len(config)
    return ((int.from_bytes(config) << 15) & ((1 << bits) - 1)).to_bytes(len(config))


def _hex(track: AudioTrack, name: str) -> bytes:
    try:
        return bytes.fromhex(track.parameters.get(name, "")[:1024])
    except ValueError:
        return b""


def _number(track: AudioTrack, name: str, default: int) -> int:
    said = track.parameters.get(name, "")
    return min(int(said), 1 << 16) if said.isascii() and said.isdigit() and len(said) < 9 else default  # noqa: PLR2004 - no such size
