"""Deterministic audio, files of it in any codec, and where one signal lies in another."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, lfilter

from vser_stream.values import RATE, Pcm

SIZE = 16
"""Width and height of test videos (pixels)."""


def voice(seconds: float, *, rate: int = RATE, seed: int = 1) -> Pcm:
    """Speech-like: a wandering pitch through two formants, in syllables; no part repeats another."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    phase = np.cumsum(_drift(rng.uniform(110, 260, n * 5 // rate + 2), n, rate // 5)) / rate
    pulses = (np.diff(np.floor(phase), prepend=0.0) > 0) + 0.02 * rng.standard_normal(n)
    for formant, bandwidth in ((600.0, 90.0), (1500.0, 120.0)):
        radius = np.exp(-np.pi * bandwidth / rate)
        pulses = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2], pulses)
    signal = pulses * _drift(rng.uniform(0.2, 1.0, n * 8 // rate + 2), n, rate // 8)
    return np.asarray(12_000 * signal / np.abs(signal).max(), np.int16)


def cries(count: int, *, seed: int = 1) -> Pcm:
    """As a baby's: a second each at 440 Hz, pressed and bright, with half a second of breath between."""
    rng, time = np.random.default_rng(seed), np.arange(RATE) / RATE
    breath = np.zeros(RATE // 2)
    parts = []
    for _ in range(count):
        arc = 440.0 * 2 ** ((1.5 * np.sin(np.pi * time) + 0.3 * np.sin(2 * np.pi * 6 * time)) / 12)
        arc *= 1 + 0.004 * rng.standard_normal(RATE)
        phase = 2 * np.pi * np.cumsum(arc) / RATE
        loud = np.minimum(1.0, 8 * np.minimum(time, 1.0 - time)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * time))
        parts += [loud * sum(np.sin(order * phase) for order in range(1, 9)), breath]
    signal = np.concatenate(parts) + 0.01 * rng.standard_normal(count * 3 * RATE // 2)
    return np.asarray(8_000 * signal / np.abs(signal).max(), np.int16)


def tone(seconds: float, *, frequency: float = 440.0, rate: int = RATE) -> Pcm:
    """A sine at -10 dB re full scale."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(10_000 * np.sin(2 * np.pi * frequency * time), np.int16)


def write(path: Path, samples: NDArray[np.int16], *, rate: int = RATE, codec: str = "pcm_s16le") -> Path:
    """Encode int16 samples, shape (n,) or (channels, n), into the container the suffix names."""
    planes = np.atleast_2d(samples)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(planes)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(planes.T.reshape(1, -1).copy(), format="s16", layout=layout)
        frame.sample_rate = rate
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def write_float_wav(path: Path, samples: NDArray[np.float32]) -> Path:
    """A 16 kHz mono WAV of 32-bit floats just as they are, shape (n,)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def write_video(path: Path, samples: Pcm | None) -> Path:
    """A short film, with 16 kHz mono sound or without."""
    with av.open(str(path), "w") as container:
        film = container.add_stream("mpeg4", rate=10, width=SIZE, height=SIZE, pix_fmt="yuv420p")
        sound = None if samples is None else container.add_stream("aac", rate=RATE, layout="mono")
        picture = av.VideoFrame(SIZE, SIZE, "yuv420p")
        container.mux([*film.encode(picture), *film.encode(None)])
        if sound is not None and samples is not None:
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = RATE
            container.mux([*sound.encode(frame), *sound.encode(None)])
    return path


def locate(part: Pcm, whole: Pcm) -> tuple[int, float]:
    """Where ``part`` fits best into ``whole`` (samples), and its correlation there."""
    wanted = part - part.mean()
    scores = correlate(whole.astype(np.float64), wanted, mode="valid", method="fft")
    at = int(np.argmax(scores))
    return at, float(np.corrcoef(part, whole[at : at + len(part)])[0, 1])


def _drift(knots: NDArray[np.float64], n: int, every: int) -> NDArray[np.float64]:
    """A line through ``knots``, ``every`` samples apart, shape (n,)."""
    return np.interp(np.arange(n), np.arange(len(knots)) * every, knots)
