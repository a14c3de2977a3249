import logging
import time
import traceback
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support.audio import locate, voice
from support.camera import Camera, camera, mute_server, relay, talker
from support.leaks import no_leaks
from support.losing import lost
from support.patience import BUSY

from vser_stream.adapters.audio.rtsp_camera import RtspCamera, Track, redact
from vser_stream.errors import CaptureError, CaptureRefusedError
from vser_stream.values import RATE, Block, Pcm

SPEECH = voice(20.0)
LOOPED = np.tile(SPEECH, 2)
LOGIN = ("cam", "s3:c@t/\u00fc%?#")


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    if "open_camera" in request.fixturenames:
        request.getfixturevalue("open_camera")  # it stays for the module: no leak of this test
    with no_leaks():
        yield


@pytest.fixture(scope="module")
def open_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    with camera(SPEECH, tmp_path_factory.mktemp("camera")) as running:
        yield running


def take(source: RtspCamera, seconds: float) -> list[Block]:
    """The first ``seconds`` of audio."""
    return list(takewhile(lambda block: block.end <= seconds * RATE, source.blocks(lambda: False)))


def joined(blocks: list[Block]) -> Pcm:
    return np.concatenate([block.pcm for block in blocks])


def refusal(source: RtspCamera) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        take(source, 60.0)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("mount", "transport", "likeness"),
    [
        ("pcma", "tcp", 0.99),
        ("pcmu", "tcp", 0.99),
        ("opus", "tcp", 0.95),
        ("aac", "tcp", 0.98),
        ("l16", "tcp", 0.999),
        ("pcma", "udp", 0.99),
    ],
)
def test_every_codec_sounds_as_the_source(
    open_camera: Camera, mount: str, transport: Literal["tcp", "udp"], likeness: float
) -> None:
    blocks = take(RtspCamera(open_camera.url(mount), transport=transport), 0.8)
    assert [block.start for block in blocks[1:]] == [block.end for block in blocks[:-1]]
    assert locate(joined(blocks)[RATE // 8 :], LOOPED)[1] > likeness


def test_blocks_are_heard_just_before_they_arrive_and_never_end_later(open_camera: Camera) -> None:
    blocks = islice(RtspCamera(open_camera.url("pcma")).blocks(lambda: False), 30)
    late = [time.time() - block.heard_at - len(block.pcm) / RATE for block in blocks]
    assert min(late) > -0.001  # two clocks are read one after the other
    assert np.median(late) < 0.1


def test_video_is_not_asked_for(open_camera: Camera) -> None:
    with relay(open_camera) as line:
        assert take(RtspCamera(f"rtsp://127.0.0.1:{line.port}/av"), 0.4)
        set_up = [request for request in line.asked.split(b"\r\n") if request.startswith(b"SETUP ")]
    assert len(set_up) == 1  # with its video, FFmpeg probes this stream for 5 s


def test_lost_audio_moves_the_positions_on(open_camera: Camera) -> None:
    blocks: list[Block] = []
    with relay(open_camera) as line:
        source = RtspCamera(f"rtsp://127.0.0.1:{line.port}/l16")
        for block in source.blocks(lambda: bool(blocks) and blocks[-1].end > 2.4 * RATE):
            blocks.append(block)
            if len(blocks) == 15:
                line.losing.set()
                time.sleep(0.8)
                line.losing.clear()
    gaps = [i for i in range(1, len(blocks)) if blocks[i].start != blocks[i - 1].end]
    assert len(gaps) == 1
    before, after = blocks[: gaps[0]], blocks[gaps[0] :]
    assert after[0].start - before[-1].end == pytest.approx(0.8 * RATE, abs=0.3 * RATE)
    truly = locate(joined(after), LOOPED)[0] - locate(joined(before), LOOPED)[0]
    # What is in the loop twice may be found in either turn.
    assert after[0].start - before[0].start == pytest.approx(truly % len(SPEECH), abs=2)


@pytest.mark.parametrize("digest", [False, True])
def test_only_the_right_password_opens_and_none_is_ever_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], *, digest: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    password_file = tmp_path / "password"
    password_file.write_text(LOGIN[1] + "\n", encoding="utf-8")
    with camera(SPEECH, tmp_path, login=LOGIN, digest=digest) as guarded:
        url = guarded.url("pcma")
        assert take(RtspCamera(url, username=LOGIN[0], password_file=password_file), 0.1)
        wrong = RtspCamera(guarded.url("pcma", login="cam:hunter2@"))
        refused = refusal(wrong)
        password_file.write_text("hunter2")
        also = refusal(RtspCamera(url, username=LOGIN[0], password_file=password_file))
        assert str(refusal(RtspCamera(url))) == str(also) == str(refused)
    assert (
        str(refused)
        == f"{redact(url)}: wrong user name or password (401); correct username and password_file"
    )
    assert isinstance(refused, CaptureRefusedError)  # so it is not tried every minute
    told = [repr(wrong), caplog.text, *capfd.readouterr()]
    for error in (refused, also):
        told += [repr(error), repr(error.__cause__), *traceback.format_exception(error)]
        told.append(repr(getattr(error.__cause__, "__cause__", None)))
    assert not [text for text in told if "hunter2" in text or LOGIN[1] in text]


def test_a_password_in_the_url_opens_whether_percent_encoded_or_not(tmp_path: Path) -> None:
    with camera(SPEECH, tmp_path, login=("cam", "s3:c@t 100%")) as guarded:
        assert take(RtspCamera(guarded.url("pcma", login="cam:s3:c@t 100%@")), 0.1)
        assert take(RtspCamera(guarded.url("pcma", login="cam:s3%3Ac%40t%20100%25@")), 0.1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://host", "rtsp://host"),
        ("rtsp://host/", "rtsp://host/"),
        ("rtsp://cam:secret@host:554/a", "rtsp://host:554/..."),
        ("rtsp://cam:sec/r@et@host/a", "rtsp://host/..."),
        ("rtsp://cam:s3:secret@t/#?%41 secret@host/a", "rtsp://host/..."),
        ("rtsp://cam:sec\nret@[::1]:8554/a", "rtsp://[::1]:8554/..."),
        ("rtsp://host/user=cam_password=secret_channel=1", "rtsp://host/..."),
        ("rtsp://host/a?user=cam&token=secret", "rtsp://host/..."),
        ("rtsp://host:7447/s3cr3tTokenOfTheStream", "rtsp://host:7447/..."),
        ("rtsps://host?key=secret", "rtsps://host/..."),
        ("/home/a//b.wav", "/home/a//b.wav"),
        ("USB microphone", "USB microphone"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_a_stream_the_camera_does_not_have_is_told(open_camera: Camera) -> None:
    assert "no such stream (404)" in str(refusal(RtspCamera(open_camera.url("elsewhere"))))


def test_a_camera_without_sound_is_told(open_camera: Camera) -> None:
    assert "switch its audio on" in str(refusal(RtspCamera(open_camera.url("video"))))


def test_a_closed_port_is_told() -> None:
    assert "connection refused" in str(refusal(RtspCamera("rtsp://127.0.0.1:9/a")))


def test_an_unknown_host_is_told() -> None:
    assert "no such host" in str(refusal(RtspCamera("rtsp://camera.invalid/a")))


@pytest.mark.parametrize("url", ["http://host/a", "rtsp://", "rtsp://cam:sec/ret@host/a", "host:554"])
def test_what_is_no_rtsp_address_is_told(url: str) -> None:
    message = str(refusal(RtspCamera(url)))
    assert message.endswith(": not an RTSP address; write rtsp://host:port/path")
    assert "sec" not in message


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("rtsp://cam:s3:c@host/a", ("host", 554)),
        ("rtsps://host/a", ("host", 322)),
        ("rtsp://[::1]:8554/a:9", ("::1", 8554)),
    ],
)
def test_where_a_camera_is(url: str, place: tuple[str, int]) -> None:
    assert RtspCamera(url).host_and_port() == place


def test_what_a_camera_sends_is_told_without_playing_it(open_camera: Camera) -> None:
    assert RtspCamera(open_camera.url("pcma")).track() == Track("pcm_alaw", 8000, 1)
    assert RtspCamera(open_camera.url("opus")).track().codec == "opus"


def test_a_missing_password_file_is_told(tmp_path: Path) -> None:
    source = RtspCamera("rtsp://host/a", username="cam", password_file=tmp_path / "none")
    assert f"password_file {tmp_path / 'none'}: No such file" in str(refusal(source))


def test_another_protocol_is_told() -> None:
    with talker(b"HTTP/1.0 400 Bad Request\r\n\r\n", hangs_up=True) as port:
        message = str(refusal(RtspCamera(f"rtsp://127.0.0.1:{port}/a")))
    assert "check the url" in message


def test_a_server_that_accepts_and_never_answers_is_given_up_in_time() -> None:
    began = time.monotonic()
    with talker(b"") as port:
        message = str(refusal(RtspCamera(f"rtsp://127.0.0.1:{port}/a", open_timeout=1.0)))
    assert "timed out" in message
    assert time.monotonic() - began < 2.0 * BUSY


def test_a_server_that_drips_bytes_is_given_up_in_time() -> None:
    began = time.monotonic()
    with mute_server(drip=b"\r\n") as port:
        message = str(refusal(RtspCamera(f"rtsp://127.0.0.1:{port}/a", open_timeout=2.0)))
    assert "timed out" in message
    assert time.monotonic() - began < 4.0 * BUSY


def test_a_camera_that_sends_reports_but_no_sound_is_noticed(open_camera: Camera) -> None:
    with relay(open_camera) as line:
        line.chatting.set()
        source = RtspCamera(f"rtsp://127.0.0.1:{line.port}/l16", read_timeout=1.0)
        message, after = lost(source, line.losing.set)
    assert message.endswith("check the network and the camera")
    assert after < 2.5 * BUSY


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_goes_away_is_noticed_at_once(tmp_path: Path, transport: Literal["tcp", "udp"]) -> None:
    with camera(SPEECH, tmp_path) as running:
        message, after = lost(RtspCamera(running.url("pcma"), transport=transport), running.kill)
    assert "camera closed the stream" in message
    assert after < 1.0 * BUSY


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_frozen_camera_is_noticed_within_the_read_timeout(
    tmp_path: Path, transport: Literal["tcp", "udp"]
) -> None:
    with camera(SPEECH, tmp_path) as running:
        source = RtspCamera(running.url("pcma"), read_timeout=1.0, transport=transport)
        message, after = lost(source, running.freeze)
    assert "timed out" in message
    assert after < 2.0 * BUSY


def test_a_stop_is_heeded_within_the_read_timeout_of_a_silent_camera(tmp_path: Path) -> None:
    stopping: list[float] = []
    with camera(SPEECH, tmp_path) as running:
        blocks = RtspCamera(running.url("pcma"), read_timeout=1.0).blocks(lambda: bool(stopping))
        next(blocks)
        running.freeze()
        stopping.append(time.monotonic())
        assert list(blocks) == []
    assert time.monotonic() - stopping[0] < 1.5 * BUSY


def test_a_stop_is_heeded_while_audio_flows(open_camera: Camera) -> None:
    stopping: list[float] = []
    blocks = RtspCamera(open_camera.url("pcma")).blocks(lambda: bool(stopping))
    next(blocks)
    stopping.append(time.monotonic())
    assert list(blocks) == []
    assert time.monotonic() - stopping[0] < 0.5 * BUSY
