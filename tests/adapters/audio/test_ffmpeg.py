"""What strangers send is decoded or told, and never ends the process."""

import random
from pathlib import Path

import av
import numpy as np
import pytest
from support.audio import locate, voice, write
from support.odd_camera import coded

from vser_stream.adapters.audio.ffmpeg import Fault, MediaError, PacketDecoder, PcmResampler, decode
from vser_stream.core.rtp.payload import Coding, coding_of
from vser_stream.core.rtp.sdp import audio_tracks
from vser_stream.values import RATE, Pcm

SPEECH = voice(2.0)
NARROW = voice(2.0, rate=8000)


def coding(encoding: str, parameters: str = "") -> Coding:
    [track] = audio_tracks(f"m=audio 0 RTP/AVP 97\na=rtpmap:97 {encoding}\na=fmtp:97 {parameters}")
    found = coding_of(track)
    assert found is not None
    return found


def heard(path: Path) -> Pcm:
    return np.concatenate([chunk.pcm for chunk in decode(str(path))])


@pytest.mark.parametrize(
    ("encoding", "codec", "pcm", "likeness"),
    [
        ("PCMU/8000", "pcm_mulaw", NARROW, 0.99),
        ("L8/8000", "pcm_u8", NARROW, 0.99),
        ("L16/16000", "pcm_s16be", SPEECH, 0.999),
        ("L24/16000", "pcm_s24be", SPEECH, 0.999),
        ("G722/8000", "g722", SPEECH, 0.98),
        ("G726-32/8000", "g726le", NARROW, 0.97),
        ("MPA/90000", "mp2", SPEECH, 0.97),
        ("AC3/48000", "ac3", voice(2.0, rate=48_000), 0.95),
    ],
)
def test_every_coding_sounds_as_the_source(encoding: str, codec: str, pcm: Pcm, likeness: float) -> None:
    how = coding(encoding)
    decoder = PacketDecoder(how)
    rate = {"mp2": 16_000}.get(codec, how.rate)
    out = np.concatenate([decoder.feed(frame).pcm for frame in coded(codec, pcm, rate=rate)])
    whole = np.interp(np.arange(2 * RATE) * rate / RATE, np.arange(len(pcm)), pcm).astype(np.int16)
    assert locate(out[RATE // 2 : RATE], whole)[1] > likeness


@pytest.mark.parametrize(
    "how",
    [
        *(
            coding(f"{name}/8000")
            for name in ("PCMU", "L16", "L24", "G722", "G726-16", "G726-40", "GSM", "ILBC")
        ),
        *(coding(f"{name}/8000") for name in ("AMR", "AMR-WB", "SPEEX", "G729", "AC3", "EAC3")),
        coding("OPUS/48000/2"),
        coding("MPA/90000"),
        coding("MPEG4-GENERIC/8000", "config=1588"),
        coding("MP4A-LATM/24000", "cpresent=0;config=40002410"),
        coding("L16/16000/32"),
    ],
    ids=lambda how: f"{how.decoder}-{how.channels}",
)
def test_random_frames_are_audio_or_damage(how: Coding) -> None:
    """150 for each of 19 codings, of random bytes and of a real frame with bytes changed."""
    dice = random.Random(2)  # noqa: S311 - the same bytes each time
    decoder = PacketDecoder(how)
    for _ in range(150):
        chunk = decoder.feed(dice.randbytes(dice.choice([0, 1, 7, 33, 50, 160, 1000])))
        assert len(chunk.pcm) <= 3 * RATE


def test_mutated_frames_are_audio_or_damage() -> None:
    dice = random.Random(3)  # noqa: S311 - the same mutants each time
    decoder = PacketDecoder(coding("MPEG4-GENERIC/16000", "config=1408"))
    for frame in coded("aac", SPEECH, rate=RATE) * 5:
        mutant = bytearray(frame)
        mutant[dice.randrange(len(mutant))] ^= 1 << dice.randrange(8)
        assert len(decoder.feed(bytes(mutant)).pcm) <= RATE


@pytest.mark.parametrize("extradata", [b"", b"\0", b"\xff" * 40, b"\x15\x88" * 100])
def test_a_false_configuration_is_refused_or_damage(extradata: bytes) -> None:
    try:
        decoder = PacketDecoder(Coding("aac", 8000, 1, extradata=extradata))
    except MediaError:
        return
    assert not len(decoder.feed(bytes(100)).pcm)


def test_a_decoder_that_does_not_exist_is_told() -> None:
    with pytest.raises(MediaError):
        PacketDecoder(Coding("nobody", 8000, 1))


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_f64le"])
def test_many_channels_of_floats_are_heard(tmp_path: Path, channels: int, codec: str) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=f"{channels}C")
        assert isinstance(stream, av.AudioStream)
        samples = np.zeros((len(SPEECH), channels), np.int16)
        samples[:, channels - 1] = SPEECH
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=f"{channels}C")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.array_equal(heard(path)[-RATE:], SPEECH[-RATE:])


def test_planar_floats_of_eight_channels_do_not_end_the_process(tmp_path: Path) -> None:
    """PyAV reads past the planes of such frames."""
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="7.1")
        samples = np.repeat(voice(1.0, rate=48_000), 8)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="7.1")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.abs(heard(path)).max() > 1000


@pytest.mark.parametrize("rate", [1, 100, 3999])
def test_a_recording_of_an_absurd_rate_is_told(tmp_path: Path, rate: int) -> None:
    with pytest.raises(MediaError) as caught:
        heard(write(tmp_path / "a.wav", SPEECH, rate=rate))
    assert (caught.value.fault, caught.value.reason) == (Fault.ABSURD, f"a sampling rate of {rate} Hz")


def test_a_codec_nobody_knows_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH)
    data = bytearray(path.read_bytes())
    data[20:22] = b"\x34\x12"  # wFormatTag
    path.write_bytes(data)
    with pytest.raises(MediaError):
        heard(path)


@pytest.mark.parametrize("sounding", [0, 1])
def test_of_two_tracks_the_one_that_sounds_is_heard(tmp_path: Path, sounding: int) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams):
            pcm = SPEECH if number == sounding else np.zeros_like(SPEECH)
            frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = RATE
            container.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.array_equal(heard(path), SPEECH)


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 8, 32])
def test_a_device_of_any_number_of_channels_is_heard(channels: int) -> None:
    resampler = PcmResampler(rate=RATE, channels=channels)
    out = resampler.feed(np.repeat(SPEECH, channels))
    assert np.array_equal(out, SPEECH[: len(out)])
    assert len(out) > len(SPEECH) - 100
