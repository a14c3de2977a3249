from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.rtp.packets import RtpPacket
from vser_stream.core.rtp.payload import Coding, coding_of, refusal, unpacker
from vser_stream.core.rtp.sdp import AudioTrack, audio_tracks

AAC = "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1588"
ENCODINGS = [
    "PCMU/8000", "PCMA/8000/2", "L8/16000", "L16/48000/6", "L24/48000", "G722/8000", "G726-16/8000",
    "G726-24/8000", "G726-32/8000", "G726-40/8000", "AAL2-G726-32/8000", "OPUS/48000/2", "SPEEX/16000",
    "GSM/8000", "ILBC/8000", "AMR/8000", "AMR-WB/16000", "MPA/90000", "AC3/48000", "EAC3/48000",
    "G729/8000", "MPEG4-GENERIC/8000", "MP4A-LATM/16000",
]  # fmt: skip


def track(encoding: str, parameters: str = "") -> AudioTrack:
    [found] = audio_tracks(f"m=audio 0 RTP/AVP 97\na=rtpmap:97 {encoding}\na=fmtp:97 {parameters}")
    return found


def packet(payload: bytes) -> RtpPacket:
    return RtpPacket(97, marker=False, sequence=0, timestamp=0, payload=payload)


@pytest.mark.parametrize(
    ("encoding", "parameters", "coding"),
    [
        ("PCMA/8000", "", Coding("pcm_alaw", 8000, 1)),
        ("l16/48000/2", "", Coding("pcm_s16be", 48_000, 2)),
        ("G722/8000", "", Coding("g722", 16_000, 1)),
        (
            "G726-24/8000",
            "",
            Coding("g726le", 8000, 1, options=MappingProxyType({"bits_per_coded_sample": "3"})),
        ),
        ("MPEG4-GENERIC/8000/1", AAC, Coding("aac", 8000, 1, extradata=b"\x15\x88")),
        # 40002410 is a multiplex of one AAC track of 24 kHz, mono: 15 bits, then its configuration 1208.
        (
            "MP4A-LATM/24000/1",
            "cpresent=0;config=40002410",
            Coding("aac", 24_000, 1, extradata=b"\x12\x08\0\0"),
        ),
        ("MPA/90000", "", Coding("mp3float", 44_100, 1, is_stream=True)),
    ],
)
def test_how_a_track_is_decoded(encoding: str, parameters: str, coding: Coding) -> None:
    assert coding_of(track(encoding, parameters)) == coding
    assert refusal(track(encoding, parameters)) is None


@pytest.mark.parametrize("encoding", ["XYZ/8000", "MPEG4-GENERIC/8000", "MP4A-LATM/8000", "VORBIS/48000"])
def test_what_nobody_here_decodes_is_told(encoding: str) -> None:
    assert coding_of(track(encoding)) is None
    assert "cannot be decoded" in (refusal(track(encoding)) or "")


@pytest.mark.parametrize(
    ("rate", "fits"), [(1, False), (3999, False), (4000, True), (192_000, True), (192_001, False)]
)
def test_rates_that_no_microphone_has_are_refused(rate: int, *, fits: bool) -> None:
    assert (refusal(track(f"L16/{rate}")) is None) is fits


def test_access_units_of_one_packet_and_of_several() -> None:
    unpack = unpacker(track("MPEG4-GENERIC/8000", AAC))
    assert unpack(packet(bytes([0, 32, 0, 3 << 3, 0, 2 << 3]) + b"abcde")) == [b"abc", b"de"]
    whole = bytes(range(200))
    head = bytes([0, 16, *(200 << 3).to_bytes(2)])
    assert unpack(packet(head + whole[:150])) == []
    assert unpack(packet(head + whole[150:])) == [whole]


def test_latm_frames_behind_their_lengths() -> None:
    unpack = unpacker(track("MP4A-LATM/24000", "cpresent=0;config=40002410"))
    long = bytes(300)
    assert unpack(packet(b"\x03abc" + b"\xff\x2d" + long)) == [b"abc", long]


def test_amr_frames_behind_their_table() -> None:
    unpack = unpacker(track("AMR/8000", "octet-align=1"))
    assert unpack(packet(b"\xf0" + bytes([0xBC, 0x3C]) + b"a" * 31 + b"b" * 31)) == [
        b"\x3c" + b"a" * 31, b"\x3c" + b"b" * 31,
    ]  # fmt: skip


@given(st.sampled_from(ENCODINGS), st.lists(st.binary(max_size=400), max_size=6))
def test_whatever_a_packet_holds_no_more_comes_out_than_went_in(encoding: str, payloads: list[bytes]) -> None:
    unpack = unpacker(track(encoding, AAC + ";cpresent=0"))
    out = [coded for payload in payloads for coded in unpack(packet(payload))]
    assert sum(map(len, out)) <= 2 * sum(map(len, payloads))


@given(st.text(max_size=60), st.text(max_size=40))
def test_whatever_is_declared_can_be_asked(parameters: str, encoding: str) -> None:
    for one in audio_tracks(f"m=audio 0 RTP/AVP 97\na=rtpmap:97 {encoding}\na=fmtp:97 {parameters}"):
        assert refusal(one) is not None or coding_of(one) is not None
