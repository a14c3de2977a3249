"""Makes scene.flac: a Vietnamese voice, first calm, then agitated, then screams.

Synthetic speech by espeak-ng, whose prosody is set line by line, and screams made of nothing but numbers; no
person was recorded. Acted fear cannot be had of espeak-ng: a model that heard people takes it for anger.
Needs Debian's espeak-ng. The same input gives the same samples.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import scipy.signal
from numpy.typing import NDArray

SCENE = Path(__file__).with_name("scene.flac")
RATE = 16_000
PAUSE = 0.7
"""Between two lines (s)."""

NOISE_DB = -66.0
"""Room noise under the whole scene (dB re full scale)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence and how it is said."""

    text: str
    pitch: int
    """espeak-ng's -p, 0 to 99."""

    rate: int
    """Words a minute."""

    level_db: float
    """Root mean square of the sentence (dB re full scale)."""

    swing: int = 50
    """How far pitch moves inside the sentence: SSML prosody range (percent)."""

    effort_db: float = 0.0
    """How far all above 800 Hz is lifted: who shouts has a brighter voice (dB)."""


@dataclass(frozen=True, slots=True)
class Scream:
    """A rough cry without words; the roughness is what makes it alarming (Arnal et al., 2015)."""

    lasts: float
    """Seconds."""

    level_db: float
    """Root mean square (dB re full scale)."""


SCENES: tuple[Line | Scream, ...] = (
    Line("Chào chị, hôm nay tôi thấy khỏe hơn hôm qua.", 30, 150, -34, 20),
    Line("Tôi vừa ăn cháo xong, bây giờ tôi ngồi nghỉ một lát.", 30, 150, -34, 20),
    Line("Chiều nay con gái tôi sẽ đến thăm.", 30, 150, -34, 20),
    Line("Tại sao không ai nghe tôi nói gì cả!", 99, 230, -18, 90),
    Line("Tôi đã nói rồi! Đừng có vào đây nữa!", 99, 320, -12, 150, 12),
    Line("Tại sao không ai nghe tôi nói gì cả!", 99, 320, -12, 150, 12),
    Line("Ra ngoài ngay! Tôi không muốn gặp ai hết!", 99, 320, -12, 150, 12),
    Scream(1.4, -14),
    Scream(1.0, -14),
    Scream(1.4, -14),
)


def say(line: Line) -> NDArray[np.float64]:
    """Speech of one line at 16 kHz, shape (n,)."""
    ssml = f'<speak><prosody range="{line.swing}%">{line.text}</prosody></speak>'
    command = ["espeak-ng", "-v", "vi+f3", "-m", "-a", "60", "-p", str(line.pitch), "-s", str(line.rate)]
    wav = subprocess.run([*command, "--stdout", ssml], check=True, capture_output=True).stdout
    with av.open(io.BytesIO(wav), "r") as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    speech = np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768.0
    bright = scipy.signal.lfilter(*scipy.signal.butter(1, 800, "highpass", fs=RATE), speech)
    return _at(speech + (10 ** (line.effort_db / 20) - 1) * bright, line.level_db)


def scream(one: Scream) -> NDArray[np.float64]:
    """A cry that rises and trembles at 16 kHz, shape (n,)."""
    rng = np.random.default_rng(0)
    time = np.arange(round(one.lasts * RATE)) / RATE
    knots = np.arange(0, one.lasts + 0.03, 0.02)
    unsteady = np.interp(time, knots, 1 + 0.01 * rng.standard_normal(len(knots)))
    rising = np.interp(time, np.array([0, 0.15, 0.6, 1]) * one.lasts, [800, 1300, 1235, 640])
    pitch = rising * unsteady * (1 + 0.02 * np.sin(2 * np.pi * 6 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = np.sum([np.sin(order * phase) / order for order in range(1, 6)], axis=0)
    rough = tone * (1 + 0.6 * np.sin(2 * np.pi * 70 * time))
    rough += 0.5 * np.abs(rough).mean() * rng.standard_normal(len(time))
    throat = scipy.signal.butter(2, [500, 4500], "bandpass", fs=RATE, output="sos")
    shape = np.interp(time, [0, 0.06, one.lasts - 0.25, one.lasts], [0, 1, 0.9, 0])
    return _at((scipy.signal.sosfilt(throat, rough) + 0.3 * rough) * shape, one.level_db)


def _at(wave: NDArray[np.float64], level_db: float) -> NDArray[np.float64]:
    return np.asarray(wave * 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2)))


def scene() -> NDArray[np.int16]:
    """The whole scene at 16 kHz."""
    silence = np.zeros(int(PAUSE * RATE))
    parts = [silence]
    for line in SCENES:
        parts += [say(line) if isinstance(line, Line) else scream(line), silence]
    samples = np.concatenate([*parts, silence])
    noise = np.random.default_rng(0).normal(scale=10 ** (NOISE_DB / 20), size=len(samples))
    return np.asarray(np.clip(samples + noise, -1.0, 0.9999) * 32768.0, np.int16)


def main() -> None:
    """Write the scene as FLAC."""
    samples = scene()
    with av.open(str(SCENE), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    print(f"{SCENE.name}: {len(samples) / RATE:.1f} s")


if __name__ == "__main__":
    main()
