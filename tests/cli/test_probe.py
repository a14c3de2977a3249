import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.audio import voice, write
from support.camera import Camera, camera, mute_server
from support.command import vser_stream
from support.odd_camera import description, odd_camera
from support.sound_server import sound_server

from vser_stream.cli.probe import probe
from vser_stream.errors import VserError
from vser_stream.values import RATE

HUNTER = "hunter2"
ROOM = np.random.default_rng(0).normal(scale=20.0, size=RATE // 2).astype(np.int16)
SPEECH = np.concatenate(
    [part for at in range(0, 8 * RATE, RATE) for part in (voice(8.0)[at : at + RATE], ROOM)]
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    with camera(SPEECH, tmp_path_factory.mktemp("camera"), login=("cam", HUNTER)) as running:
        yield running


def stages(output: str) -> list[tuple[str, str]]:
    """Mark and name of each step that was told."""
    marked = [line for line in output.splitlines() if line.startswith(("ok ", "FAILED "))]
    return [(line[:6].strip(), line[7:].split(":")[0]) for line in marked]


def test_a_camera_is_reached_step_by_step_and_heard(served: Camera) -> None:
    done = vser_stream("probe", served.url("pcma", login=f"cam:{HUNTER}@"), "--seconds", "3")
    assert done.returncode == 0, done.stderr
    assert stages(done.stdout) == [
        ("ok", "name resolves"),
        ("ok", "TCP connects"),
        ("ok", "RTSP answers"),
        ("ok", "login"),
        ("ok", "audio track"),
        ("ok", "first samples"),
        ("ok", "signal"),
    ]
    assert "pcm_alaw, 8000 Hz, 1 channel(s)" in done.stdout
    assert "verdict: good: speech or sound is" in done.stdout
    assert HUNTER not in done.stdout + done.stderr


def test_the_same_as_json(served: Camera, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(HUNTER)
    login = ("--username", "cam", "--password-file", password)
    done = vser_stream("probe", served.url("l16"), *login, "--seconds", "3", "--json")
    report = json.loads(done.stdout)
    assert (report["ok"], report["codec"], report["rate"], report["faults"]) == (True, "pcm_s16be", 16000, [])
    assert report["snr_db"] > 15
    assert all(stage["ok"] and stage["ms"] >= 0 for stage in report["stages"])


def fails(target: str, *options: object) -> tuple[str, str]:
    """The step that fails, and why; the steps before it are good."""
    done = vser_stream("probe", target, *options)
    assert done.returncode == 5, done.stdout + done.stderr
    assert HUNTER not in done.stdout + done.stderr
    *before, last = stages(done.stdout)
    assert {mark for mark, _ in before} <= {"ok"}
    assert last[0] == "FAILED"
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"vser-stream: {last[1]}: ")
    return last[1], line


def test_an_unknown_name_fails_first() -> None:
    assert fails(f"rtsp://cam:{HUNTER}@camera.invalid/a")[0] == "name resolves"


def test_a_closed_port_fails_next() -> None:
    stage, line = fails(f"rtsp://cam:{HUNTER}@127.0.0.1:9/a")
    assert stage == "TCP connects"
    assert "Connection refused" in line


def test_then_whoever_does_not_speak_rtsp() -> None:
    with mute_server(drip=b"220 mail.example ESMTP\r\n") as port:
        stage, line = fails(f"rtsp://127.0.0.1:{port}/a")
    assert (stage, "220 mail.example ESMTP" in line) == ("RTSP answers", True)
    with mute_server() as port:
        stage, line = fails(f"rtsp://127.0.0.1:{port}/a")
    assert (stage, "no answer within 5 s" in line) == ("RTSP answers", True)


def test_then_a_wrong_password(served: Camera) -> None:
    assert fails(served.url("pcma", login="cam:wrong@"))[0] == "login"


@pytest.mark.parametrize(("mount", "words"), [("elsewhere", "404"), ("video", "switch its audio on")])
def test_then_a_stream_without_sound(served: Camera, mount: str, words: str) -> None:
    stage, line = fails(served.url(mount, login=f"cam:{HUNTER}@"))
    assert (stage, words in line) == ("audio track", True)


def test_a_microphone_is_heard_and_a_silent_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sound_server(tmp_path) as server:
        monkeypatch.setenv("PULSE_SERVER", server.address)
        stage, line = fails("default", "--seconds", "2")
        assert (stage, "unmute the microphone" in line) == ("signal", True)
        player = server.play(SPEECH)
        done = vser_stream("probe", "default", "--seconds", "3")
        player.terminate()
        player.wait()
        assert (done.returncode, "verdict: good" in done.stdout) == (0, True), done.stdout
        assert fails("studio")[0] == "first samples"


def test_a_file_is_judged_the_same_way(tmp_path: Path) -> None:
    done = vser_stream("probe", write(tmp_path / "a.wav", SPEECH))
    assert (done.returncode, "verdict: good" in done.stdout) == (0, True)
    loud = (SPEECH.astype(np.int32) * 60).clip(-32768, 32767).astype(np.int16)
    done = vser_stream("probe", write(tmp_path / "b.wav", loud))
    assert (done.returncode, "lower the gain" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("rtsp://[", "not an RTSP address"),
        ("rtsp://127.0.0.1:99999/a", "not an RTSP address"),
        ("rtsp://127.0.0.1:0/a", "not an RTSP address"),
        ("rtsp://a..b/x", "no such host"),
        (f"rtsp://{'a' * 70}/x", "no such host"),
        (f"rtsp://cam:p@{HUNTER}/@host/a", "an @ behind the host"),
        (f"http://cam:{HUNTER}@127.0.0.1/a?token={HUNTER}", "http://127.0.0.1/...: no camera address"),
        ("a" * 5000, "no such input"),
    ],
)
def test_whatever_is_given_is_told_in_one_line(
    target: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text(
        "class default: device = (0, 0)\n"
        "def query_hostapis(): return [dict(name='ALSA', default_input_device=0)]\n"
        "def query_devices(): return [dict(index=0, name='x', hostapi=0, max_input_channels=1,"
        " default_samplerate=16000.0)]\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with pytest.raises(VserError) as caught:
        probe(target, seconds=1.0)
    assert words in str(caught.value)
    assert HUNTER not in str(caught.value)


def test_a_codec_nobody_decodes_is_told() -> None:
    with odd_camera(
        description("m=audio 0 RTP/AVP 98\r\na=rtpmap:98 XYZ/8000\r\na=control:a\r\n")
    ) as unknown:
        failed = vser_stream("probe", unknown.url())
    assert failed.returncode == 5
    assert "its audio is XYZ, which cannot be decoded" in failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
