import itertools
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.audio import locate, tone, voice, write, write_float_wav, write_video
from support.leaks import no_leaks
from support.patience import BUSY

from vser_stream.adapters.audio.recording import BLOCK, Recording
from vser_stream.errors import AudioError
from vser_stream.values import RATE, Pcm

SPEECH = voice(2.05)


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    with no_leaks():
        yield


def heard(path: Path) -> Pcm:
    return np.concatenate([block.pcm for block in Recording(path).blocks(lambda: False)])


def refusal(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        heard(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(("suffix", "codec"), [("wav", "pcm_s16le"), ("flac", "flac")])
def test_16_khz_mono_int16_comes_through_bit_by_bit(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"a.{suffix}", SPEECH, codec=codec)
    assert np.array_equal(heard(path), SPEECH)


def test_blocks_are_100_ms_and_positions_and_times_follow_the_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    blocks = list(Recording(path, started_at=1000.0).blocks(lambda: False))
    assert [block.start for block in blocks] == list(range(0, len(SPEECH), BLOCK))
    assert [len(block.pcm) for block in blocks] == [BLOCK] * 20 + [BLOCK // 2]
    assert [block.heard_at for block in blocks] == [1000.0 + block.start / RATE for block in blocks]


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels"),
    [
        ("wav", "pcm_u8", 16_000, 1),
        ("wav", "pcm_s24le", 48_000, 1),
        ("wav", "pcm_f32le", 44_100, 2),
        ("wav", "pcm_f64le", 16_000, 1),
        ("wav", "pcm_alaw", 8_000, 1),
        ("wav", "pcm_s16le", 48_000, 6),
        ("flac", "flac", 44_100, 2),
        ("mp3", "libmp3lame", 44_100, 2),
        ("ogg", "libopus", 48_000, 1),
        ("m4a", "aac", 44_100, 2),
    ],
)
def test_any_codec_rate_and_layout_sounds_the_same(
    tmp_path: Path, suffix: str, codec: str, rate: int, channels: int
) -> None:
    original = voice(2.0, rate=rate)
    path = write(tmp_path / f"a.{suffix}", np.tile(original, (channels, 1)), rate=rate, codec=codec)
    at_16_khz = heard(write(tmp_path / "reference.wav", original, rate=rate))
    decoded = heard(path)
    assert len(decoded) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    _, likeness = locate(decoded[RATE // 2 : RATE], at_16_khz)
    assert likeness > 0.97


def test_stereo_is_the_mean_of_both_sides(tmp_path: Path) -> None:
    sides = np.stack([tone(0.5), np.zeros(RATE // 2, np.int16)])
    assert np.allclose(heard(write(tmp_path / "a.wav", sides)), sides[0] / 2, atol=2)


def test_sound_of_a_video_is_heard(tmp_path: Path) -> None:
    _, likeness = locate(SPEECH[RATE : RATE + 8000], heard(write_video(tmp_path / "a.mp4", SPEECH)))
    assert likeness > 0.97


def test_samples_that_are_no_numbers_are_silence_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = (SPEECH / 32768).astype(np.float32)
    samples[5000:5010], samples[20_000] = np.nan, np.inf
    expected = SPEECH.copy()
    expected[5000:5010] = expected[20_000] = 0
    assert np.array_equal(heard(write_float_wav(tmp_path / "a.wav", samples)), expected)
    (told,) = caplog.messages
    assert re.fullmatch(r"recording is damaged: path=\S+ damaged_packets=[1-9]\d*", told)


def test_damage_in_the_middle_costs_only_the_damaged_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.mp3", voice(6.0), codec="libmp3lame")
    whole = heard(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(data)
    damaged = heard(path)
    assert np.array_equal(damaged[: 2 * RATE], whole[: 2 * RATE])
    assert locate(damaged[-3 * RATE // 2 : -RATE // 2], whole)[1] > 0.999
    (told,) = caplog.messages
    assert re.fullmatch(r"recording is damaged: path=\S+ damaged_packets=[1-9]\d*", told)


def test_damage_that_ends_decoding_is_refused_with_its_position(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wv", voice(6.0), codec="wavpack")
    path.write_bytes(path.read_bytes()[:-1000])
    why = r"(Invalid data found when processing input|Input/output error)"  # as FFmpeg's release has it
    assert re.fullmatch(
        rf"damaged 4.0 s into the audio \({why}\); record or copy it again", str(refusal(path))
    )


def test_a_recording_cut_short_is_heard_up_to_the_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    path.write_bytes(path.read_bytes()[: -2 * RATE])
    assert np.array_equal(heard(path), SPEECH[:-RATE])


def test_tags_in_an_old_encoding_are_no_reason_to_refuse(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    tags = b"INFOINAM\x04\x00\x00\x00caf\xe9"
    path.write_bytes(path.read_bytes() + b"LIST" + len(tags).to_bytes(4, "little") + tags)
    assert np.array_equal(heard(path), SPEECH)


@pytest.mark.parametrize("name", ["with space.wav", "concat:b.wav", "-i.wav", "100%d.wav", "gi\u1ecdng.wav"])
def test_a_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(
        heard(write(tmp_path / "a.wav", SPEECH).rename(tmp_path / name).relative_to(tmp_path)), SPEECH
    )


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.wav") == "no such file; check the path"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "is a directory; give the path of a recording"


def test_a_device_file_is_refused() -> None:
    assert refusal(Path("/dev/zero")) == "is not a regular file; give the path of a recording"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert refusal(path) == "the file is empty; record or copy it again"


@pytest.mark.parametrize("suffix", ["wav", "bin", "ogg", "m4a", "mp3", "flac"])
def test_garbage_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    assert refusal(path).startswith("not a recording FFmpeg can read; ")


@pytest.mark.parametrize("length", [4, 12, 20, 30])
def test_a_header_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(path).startswith("not a recording FFmpeg can read; ")


def test_a_recording_of_no_samples_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    path.write_bytes(path.read_bytes()[: -2 * len(SPEECH)])
    assert refusal(path) == "no audio could be decoded; record or convert it again"


@pytest.mark.parametrize("film", [True, False])
def test_a_file_without_sound_is_refused(tmp_path: Path, *, film: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("hello world\n" * 1000)
    assert refusal(write_video(tmp_path / "a.mp4", None) if film else path).startswith(
        "it has no audio track; "
    )


def test_a_playlist_cannot_name_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a.m3u8"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n")
        assert refusal(path)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_change_of_rate_inside_the_file_is_followed(tmp_path: Path) -> None:
    low = write(tmp_path / "low.mp3", tone(1.0), codec="libmp3lame")
    high = write(tmp_path / "high.mp3", tone(1.0, rate=44_100), rate=44_100, codec="libmp3lame")
    both = tmp_path / "both.mp3"
    both.write_bytes(low.read_bytes() + high.read_bytes())
    heard_both = heard(both)
    assert len(heard_both) == pytest.approx(2 * RATE, abs=0.2 * RATE)
    assert locate(heard_both[-RATE // 2 : -RATE // 4], tone(1.0))[1] > 0.99


def test_a_stop_is_heeded_before_the_next_block(tmp_path: Path) -> None:
    answers = iter([False, False, False, True])
    blocks = Recording(write(tmp_path / "a.wav", SPEECH)).blocks(lambda: next(answers))
    assert [block.start for block in blocks] == [0, BLOCK, 2 * BLOCK]


def test_in_real_time_a_block_comes_when_it_would_have_been_spoken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH[: RATE // 2])
    began, clock = time.monotonic(), time.time()
    late = []
    for block in Recording(path, realtime=True).blocks(lambda: False):
        late.append(time.monotonic() - began - block.end / RATE)
        assert block.heard_at == pytest.approx(clock + block.start / RATE, abs=0.05 * BUSY)
    assert len(late) == 5
    assert min(late) >= 0.0
    assert max(late) < 0.2 * BUSY


def test_in_real_time_a_stop_does_not_wait_for_the_next_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    slept_after: list[int] = []
    monkeypatch.setattr(time, "sleep", lambda _: slept_after.extend(taken))
    for block in Recording(write(tmp_path / "a.wav", SPEECH), realtime=True).blocks(lambda: bool(taken)):
        taken.append(block.start)  # noqa: PERF401 - what is taken ends the loop
    assert (taken, slept_after) == ([0], [])


def test_a_recording_in_real_time_follows_a_clock_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, heard_at = time.time, []
    for block in Recording(write(tmp_path / "a.wav", SPEECH[:RATE]), realtime=True).blocks(lambda: False):
        heard_at.append(block.heard_at)
        if len(heard_at) == 3:
            monkeypatch.setattr(time, "time", lambda: real() + 86_400.0)
    steps = [later - earlier for earlier, later in itertools.pairwise(heard_at)]
    assert [round(step) for step in steps] == [0, 0, 86_400, *[0] * (len(steps) - 3)]
