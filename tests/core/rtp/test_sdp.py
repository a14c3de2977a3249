import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.rtp.sdp import audio_tracks, receivable, session_control

ONVIF = """v=0
o=- 0 0 IN IP4 192.0.2.1
s=Session
a=control:rtsp://192.0.2.1/all
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=control:video
m=audio 0 RTP/AVP 97
a=rtpmap:97 mpeg4-generic/16000/2
a=fmtp:97 mode=AAC-hbr; SizeLength=13;config=1408
a=control:trackID=1
a=recvonly
m=audio 0 RTP/AVP 0
a=control:back
a=sendonly
"""

PIECES = st.sampled_from(
    ["m=audio 0 RTP/AVP 8", "m=audio", "m=audio x y z", "a=rtpmap:8", "a=rtpmap:8 PCMA/8000/2",
     "a=fmtp:8 a=b;=;;", "a=control:*", "a=control:\x00", "a=sendonly", "v=0", "m=video 0 RTP/AVP 96",
     "\r", "a=rtpmap:8 /9999999999/x"]
)  # fmt: skip


def test_audio_tracks_are_read_as_they_were_declared() -> None:
    first, second = audio_tracks(ONVIF)
    assert (first.payload_type, first.encoding, first.clock, first.channels) == (
        97,
        "MPEG4-GENERIC",
        16_000,
        2,
    )
    assert dict(first.parameters) == {"mode": "AAC-hbr", "sizelength": "13", "config": "1408"}
    assert (first.control, first.direction) == ("trackID=1", "recvonly")
    assert (second.encoding, second.clock, second.control, second.direction) == (
        "PCMU",
        8000,
        "back",
        "sendonly",
    )
    assert receivable([second, first]) == [first]
    assert session_control(ONVIF) == "rtsp://192.0.2.1/all"


@pytest.mark.parametrize(
    ("session", "media", "found"),
    [
        ("", ["", ""], [0, 1]),
        ("", ["a=sendonly", ""], [1]),
        ("", ["a=sendonly", "a=sendonly"], [0, 1]),
        ("a=sendonly", ["", "a=recvonly"], [1]),
        ("", ["a=inactive", "a=sendrecv"], [1]),
        ("", ["a=inactive"], []),
    ],
)
def test_which_tracks_bring_sound_from_the_camera(session: str, media: list[str], found: list[int]) -> None:
    tracks = [f"m=audio 0 RTP/AVP 8\na=control:{number}\n{said}" for number, said in enumerate(media)]
    description = "\n".join(["v=0", session, *tracks])
    assert [int(track.control) for track in receivable(audio_tracks(description))] == found


@given(st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=40))
def test_whatever_is_declared_is_read_without_an_error(lines: list[str]) -> None:
    for track in audio_tracks("\r\n".join(lines)):
        assert track.control.isascii()
        assert track.control.isprintable()
        assert 0 <= track.clock < 10**9


def test_a_million_tracks_are_not_looked_at() -> None:
    assert len(audio_tracks("m=audio 0 RTP/AVP 8\n" * 100_000)) == 32
