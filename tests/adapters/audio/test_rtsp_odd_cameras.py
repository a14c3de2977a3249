"""Cameras that declare, stamp or answer what is not true: nobody falls silent, nothing is given away."""

import itertools
import random
import ssl
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.audio import voice
from support.broker import certificates
from support.leaks import no_leaks
from support.odd_camera import PCMA, Heard, OddCamera, alaw, coded, description, odd_camera, rtp

from vser_stream.adapters.audio.rtsp_camera import RtspCamera, Track
from vser_stream.errors import CaptureError
from vser_stream.values import RATE, Block, Pcm

SPEECH = voice(3.0, rate=8000)
G711 = [alaw(SPEECH)[at : at + 160] for at in range(0, len(SPEECH), 160)]
AAC = coded("aac", SPEECH, rate=8000)
AAC_TRACK = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/{clock}/1\r\na=fmtp:97 mode=AAC-hbr;sizelength=13;"
    "indexlength=3;indexdeltalength=3;config=1588\r\na=control:track1\r\n"
)
LOSSES = random.Random(7)  # noqa: S311 - the same jitter each time
JITTER = [LOSSES.choice([122, -371, 903, 0, 40, -60, -500]) for _ in range(1000)]


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    with no_leaks():
        yield


def stamped(frames: list[bytes], step: int, stamp: Callable[[int, int], int], kind: int = 8) -> list[bytes]:
    return [
        rtp(frame, sequence=k, timestamp=stamp(k, k * step), payload_type=kind)
        for k, frame in enumerate(frames)
    ]


def heard(camera: OddCamera, **options: float) -> list[Block]:
    """All that comes until the camera hangs up."""
    blocks = []
    source = RtspCamera(camera.url(), **options)  # type: ignore[arg-type]
    try:
        for block in source.blocks(lambda: False):
            blocks.append(block)  # noqa: PERF402 - what came before the end counts
    except CaptureError as exc:
        assert "closed the stream" in str(exc)  # noqa: PT017 - so it must end
    return blocks


def joined(blocks: list[Block]) -> Pcm:
    return np.concatenate([block.pcm for block in blocks])


def refused(camera: OddCamera, **options: str) -> str:
    with pytest.raises(CaptureError) as caught:
        list(RtspCamera(camera.url(login="cam:s3cret@"), **options).blocks(lambda: False))  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def assert_whole(blocks: list[Block], seconds: float) -> None:
    assert [b.start for b in blocks[1:]] == [a.end for a in blocks[:-1]]
    assert blocks[-1].end / RATE == pytest.approx(seconds, abs=0.25)


@pytest.mark.parametrize(
    "stamp",
    [
        lambda _, t: 2 * t,
        lambda _, t: t * 90 // 8,
        lambda k, t: t - k % 10 * 160,
        lambda _k, _t: 0,
        lambda k, t: t + 37_600 * 8000 if k % 30 == 20 else t,
        lambda k, t: t - 9800 * 8000 if k % 30 == 20 else t,
        lambda k, t: t if k < 70 else t - 70 * 160,
        lambda k, t: t if k < 70 else t + 3600 * 8000,
        lambda k, t: t + JITTER[k],
        lambda k, _: k * 7_654_321_987,
    ],
    ids=[
        "twice its clock", "in 90 kHz", "ten with one stamp", "all zero", "spikes ahead", "spikes back",
        "begins anew", "an hour ahead", "jitter", "random",
    ],
)  # fmt: skip
def test_whatever_the_stamps_say_all_that_arrives_is_heard_without_a_gap(
    stamp: Callable[[int, int], int],
) -> None:
    with odd_camera(packets=stamped(G711, 160, stamp)) as camera:
        blocks = heard(camera)
    with odd_camera(packets=stamped(G711, 160, lambda _, t: t)) as honest:
        expected = heard(honest)
    assert_whole(blocks, 3.0)
    assert np.array_equal(joined(blocks), joined(expected))


@pytest.mark.parametrize("clock", [8000, 90_000])
def test_aac_with_jittery_stamps_or_another_clock_is_heard_without_a_gap(clock: int) -> None:
    units = [(16).to_bytes(2) + (len(unit) << 3).to_bytes(2) + unit for unit in AAC]
    packets = stamped(units, 1024 * clock // 8000, lambda k, t: max(0, t + JITTER[k]), 97)
    with odd_camera(description(AAC_TRACK.format(clock=clock)), packets) as camera:
        assert_whole(heard(camera), 3.0)


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        ("96 L16/1", "1 Hz"),
        ("96 L16/8", "8 Hz"),
        ("96 L16/100", "100 Hz"),
        ("96 PCMU/3999", "3999 Hz"),
        ("96 L16/192001", "192001 Hz"),
        ("96 L16/999999999", "999999999 Hz"),
        ("96 L16/16000/33", "33 channels"),
        ("96 L16/16000/512", "512 channels"),
        ("96 L16/16000/0", "0 channels"),
        ("98 XYZ/8000", "XYZ, which cannot be decoded"),
        ("98", "of an unnamed kind"),
    ],
)
def test_figures_that_cannot_be_true_are_told_and_nothing_is_set_up(audio: str, said: str) -> None:
    track = f"m=audio 0 RTP/AVP {audio[:2]}\r\na=rtpmap:{audio}\r\na=control:track1\r\n"
    with odd_camera(description(track), [b"\0" * 60_000] * 10) as camera:
        message = refused(camera)
    assert said in message
    assert "choose G.711" in message
    assert camera.asked("SETUP") == []


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_to_somebody_else_is_told_and_never_followed(status: str) -> None:
    with odd_camera() as other:

        def answer(request: Heard, _: int) -> Iterable[bytes] | None:
            if request.method != "DESCRIBE":
                return None
            if "Authorization" not in request.text:
                return [b'RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Basic realm="a"\r\n\r\n']
            location = f"Location: rtsp://127.0.0.1:{other.port}/t0ken?key=t0ken\r\n"
            return [f"RTSP/1.0 {status}\r\nCSeq: 3\r\n{location}\r\n".encode()]

        with odd_camera(answer=answer) as camera:
            message = refused(camera)
    assert other.connections == 0
    assert f"it redirects to rtsp://127.0.0.1:{other.port}/..., which is not followed" in message
    assert "t0ken" not in message


def redirecting(to: str) -> Callable[[Heard, int], Iterable[bytes] | None]:
    def answer(request: Heard, port: int) -> Iterable[bytes] | None:
        if request.method != "DESCRIBE" or request.url.endswith("/live"):
            return None
        return [f"RTSP/1.0 302 Found\r\nCSeq: 2\r\nLocation: {to.format(port=port)}\r\n\r\n".encode()]

    return answer


def test_a_redirect_to_the_camera_itself_is_followed() -> None:
    packets = stamped(G711, 160, lambda _, t: t)
    with odd_camera(packets=packets, answer=redirecting("rtsp://127.0.0.1:{port}/live")) as camera:
        assert_whole(heard(camera), 3.0)
    assert camera.asked("DESCRIBE")[-1].endswith("/live")


@pytest.mark.parametrize("to", ["rtsp://127.0.0.1:{port}/stream", "/stream"])
def test_a_loop_of_redirects_ends(to: str) -> None:
    with odd_camera(answer=redirecting(to)) as camera:
        assert "redirects to itself" in refused(camera)
    assert camera.connections == 4


def endless(head: bytes) -> Callable[[Heard, int], Iterable[bytes] | None]:
    def answer(request: Heard, _: int) -> Iterable[bytes] | None:
        if request.method != "DESCRIBE":
            return None
        return itertools.chain([head], itertools.repeat(b"a=" + b"x" * 65_000 + b"\r\n", 4000))

    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 2500000000\r\n\r\nv=0\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 65000\r\n\r\nv=0\r\n",
    ],
    ids=["length", "head", "more than told"],
)
def test_an_answer_without_an_end_costs_no_memory(head: bytes) -> None:
    tracemalloc.start()
    try:
        with odd_camera(answer=endless(head)) as camera:
            assert refused(camera)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert camera.sent < 2e7  # what the kernel's buffers hold


BACK = "m=audio 0 RTP/AVP 0\r\na=control:back\r\na=sendonly\r\n"
FORTH = "m=audio 0 RTP/AVP 8\r\na=control:track1\r\na=recvonly\r\n"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"


@pytest.mark.parametrize("media", [(BACK, FORTH), (FORTH, BACK), (VIDEO, BACK, FORTH, VIDEO)])
def test_a_loudspeaker_is_left_to_its_owner(media: tuple[str, ...]) -> None:
    with odd_camera(description(*media), stamped(G711, 160, lambda _, t: t)) as camera:
        assert_whole(heard(camera), 3.0)
    assert [url.rpartition("/")[2] for url in camera.asked("SETUP")] == ["track1"]


def test_a_camera_that_says_sendonly_of_itself_is_heard() -> None:
    sdp = description("m=audio 0 RTP/AVP 8\r\na=control:track1\r\na=sendonly\r\n", VIDEO)
    with odd_camera(sdp, stamped(G711, 160, lambda _, t: t)) as camera:
        assert_whole(heard(camera), 3.0)


def test_a_track_that_never_sends_is_passed_over() -> None:
    dead = "m=audio 0 RTP/AVP 0\r\na=control:dead\r\n"
    live = stamped(G711, 160, lambda _, t: t)
    with odd_camera(description(dead, PCMA), live, hangs_up=False) as camera:
        heard: list[Block] = []
        for block in RtspCamera(camera.url(), read_timeout=0.2).blocks(lambda: bool(heard)):
            heard.append(block)  # noqa: PERF402 - looked at above
        assert heard
    assert [url.rpartition("/")[2] for url in camera.asked("SETUP")] == ["dead", "track1"]


def test_a_camera_of_udp_only_names_the_setting() -> None:
    def answer(request: Heard, _: int) -> Iterable[bytes] | None:
        return (
            [b"RTSP/1.0 461 Unsupported Transport\r\nCSeq: 3\r\n\r\n"] if request.method == "SETUP" else None
        )

    with odd_camera(answer=answer) as camera:
        assert 'set transport = "udp"' in refused(camera)
        assert 'set transport = "tcp"' in refused(camera, transport="udp")


@pytest.mark.parametrize("password", ["s3:c@t/#?%41 \u00fc", "a/b@c", "p@ss/word@", "#@", "1234/5@"])
def test_a_raw_password_is_neither_looked_up_nor_shown(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    with pytest.raises(CaptureError) as caught:
        RtspCamera(f"rtsp://cam:{password}@camera.invalid/a").track()
    message = str(caught.value)
    assert message.startswith("rtsp://camera.invalid/...: not an RTSP address")
    assert not any(
        piece and piece in message.partition(":")[2] for piece in password.split("/") if len(piece) > 2
    )


def test_an_expired_login_is_renewed_and_no_password_is_sent_where_none_is_asked() -> None:
    with odd_camera() as camera:
        assert RtspCamera(camera.url(login="cam:s3cret@")).track() == Track("pcm_alaw", 8000, 1)
    assert not [request for request in camera.requests if "Authorization" in request.text]


def test_a_camera_behind_tls_is_heard_under_whatever_certificate(tmp_path: Path) -> None:
    certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with odd_camera(packets=stamped(G711, 160, lambda _, t: t), tls=context) as camera:
        assert_whole(heard(camera), 3.0)


def test_a_camera_whose_stamps_are_not_used_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with odd_camera(packets=stamped(G711, 160, lambda _, t: 9 * t)) as camera:
        heard(camera)
    assert caplog.messages == [
        f"timestamps contradict arrival times and are ignored: camera=rtsp://127.0.0.1:{camera.port}/..."
    ]


@pytest.mark.parametrize(("end", "cseq"), [("\n", "{}"), ("\r\n", "0"), ("\r\n", "")])
def test_a_camera_that_ends_lines_or_counts_in_its_own_way_is_heard(end: str, cseq: str) -> None:
    body = description(PCMA).replace("\r\n", end)

    def answer(request: Heard, _: int) -> Iterable[bytes] | None:
        number = request.text.partition("CSeq: ")[2].split("\r")[0]
        said = body if request.method == "DESCRIBE" else ""
        lines = ["RTSP/1.0 200 OK", f"cseq:{cseq.format(number)}", "session:7", f"content-length:{len(said)}"]
        return [(end.join([*lines, "", ""]) + said).encode()]

    with odd_camera(packets=stamped(G711, 160, lambda _, t: t), answer=answer) as camera:
        assert_whole(heard(camera), 3.0)


def test_mutated_answers_never_end_in_anything_but_an_outage() -> None:
    """300 openings: bytes of the answers flipped, cut, doubled or replaced."""
    dice = random.Random(1)  # noqa: S311 - the same mutants each time
    plain = description(VIDEO, AAC_TRACK.format(clock=16_000), PCMA, BACK)
    packets = stamped(G711[:3], 160, lambda _, t: t)

    def answer(request: Heard, _: int) -> Iterable[bytes] | None:
        cseq = request.text.partition("CSeq: ")[2].split("\r")[0]
        body = plain if request.method == "DESCRIBE" else ""
        head = (
            f"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 7;timeout=60\r\nContent-Length: {len(body)}\r\n"
            "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nContent-Base: rtsp://127.0.0.1/a/\r\n\r\n"
        )
        return [_mutated((head + body).encode(), dice)]

    with odd_camera(packets=packets, answer=answer) as camera:
        source = RtspCamera(camera.url(), open_timeout=0.05, read_timeout=0.05)
        for _ in range(300):
            with pytest.raises(CaptureError):
                list(source.blocks(lambda: False))
    assert camera.connections >= 300


@pytest.mark.parametrize(
    "track",
    [
        "RTP/AVP 8", "RTP/AVP 97\r\na=rtpmap:97 opus/48000/2", "RTP/AVP 9", "RTP/AVP 14",
        "RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 octet-align=1",
        "RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/24000\r\na=fmtp:97 cpresent=0;config=40002410", None,
    ],
    ids=["PCMA", "Opus", "G722", "MPA", "AMR", "LATM", "AAC"],
)  # fmt: skip
def test_mutated_packets_are_audio_or_damage(track: str | None) -> None:
    """1,500 packets for each of 7 codings: real ones and random ones with bytes changed, cut or doubled."""
    dice = random.Random(5)  # noqa: S311 - the same mutants each time
    media = f"m=audio 0 {track}\r\na=control:track1\r\n" if track else AAC_TRACK.format(clock=8000)
    kind = int(media.split()[3])
    units = [(16).to_bytes(2) + (len(unit) << 3).to_bytes(2) + unit for unit in AAC]
    frames = [dice.choice(units if track is None else G711) for _ in range(750)]
    frames += [dice.randbytes(dice.choice([0, 1, 5, 33, 160, 1400])) for _ in range(750)]
    packets = [
        _mutated(rtp(frame, sequence=k, timestamp=160 * k, payload_type=kind), dice)[:65_000]
        for k, frame in enumerate(frames)
    ]
    with odd_camera(description(media), packets) as camera:
        blocks = heard(camera)
    assert all(a.end <= b.start for a, b in itertools.pairwise(blocks))


def _mutated(data: bytes, dice: random.Random) -> bytes:
    mutant = bytearray(data)
    for _ in range(dice.choice([0, 1, 1, 3, 20])):
        at = dice.randrange(len(mutant))
        match dice.randrange(5):
            case 0:
                mutant[at] ^= 1 << dice.randrange(8)
            case 1:
                del mutant[at : at + dice.randrange(40)]
            case 2:
                mutant[at:at] = mutant[at : at + 60]
            case 3:
                mutant[at:at] = str(dice.choice([-1, 0, 2**31, 2**64, 10**30])).encode()
            case _:
                mutant[at : at + 1] = bytes([dice.randrange(256)])
        mutant = mutant or bytearray(b"x")
    return bytes(mutant)
