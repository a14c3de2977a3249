"""Makes scene.flac: a Vietnamese voice, first calm, then agitated, then in panic.

Synthetic speech by espeak-ng, whose prosody is set line by line; no person was recorded.
Needs Debian's espeak-ng. The same input gives the same samples.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
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

    raised: float = 1.0
    """Played so many times faster: a fright lifts the voice over espeak-ng's own highest."""


SCENES: tuple[Line, ...] = (
    Line("Chào chị, hôm nay tôi thấy khỏe hơn hôm qua.", 30, 150, -34, 20),
    Line("Tôi vừa ăn cháo xong, bây giờ tôi ngồi nghỉ một lát.", 30, 150, -34, 20),
    Line("Chiều nay con gái tôi sẽ đến thăm.", 30, 150, -34, 20),
    Line("Cảm ơn chị, tôi không cần gì thêm đâu.", 30, 150, -34, 20),
    Line("Tôi đã nói rồi! Đừng có vào đây nữa!", 99, 190, -18, 150, 1.1),
    Line("Tại sao không ai nghe tôi nói gì cả!", 99, 230, -18, 90, 1.1),
    Line("Ra ngoài ngay! Tôi không muốn gặp ai hết!", 99, 230, -18, 150, 1.1),
    Line("Cứu tôi với! Cứu tôi với! Tôi không thở được!", 99, 180, -20, 20, 1.2),
    Line("Trời ơi! Cứu tôi! Tôi sợ quá! Nhanh lên!", 99, 180, -20, 20, 1.2),
    Line("Cứu tôi với! Nhanh lên! Tôi không thở được!", 99, 180, -20, 20, 1.2),
)


def say(line: Line) -> NDArray[np.float64]:
    """Speech of one line at 16 kHz, shape (n,)."""
    ssml = f'<speak><prosody range="{line.swing}%">{line.text}</prosody></speak>'
    command = ["espeak-ng", "-v", "vi+f3", "-m", "-a", "60", "-p", str(line.pitch), "-s", str(line.rate)]
    wav = subprocess.run([*command, "--stdout", ssml], check=True, capture_output=True).stdout
    with av.open(io.BytesIO(wav), "r") as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=round(RATE / line.raised))
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    speech = np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768.0
    return np.asarray(speech * 10 ** (line.level_db / 20) / np.sqrt(np.mean(speech**2)))


def scene() -> NDArray[np.int16]:
    """The whole scene at 16 kHz."""
    silence = np.zeros(int(PAUSE * RATE))
    parts = [silence]
    for line in SCENES:
        parts += [say(line), silence]
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
