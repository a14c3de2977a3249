"""Small corpora of synthetic voices: three ways to speak that are easy to tell apart."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vser_stream.values import LABELS, RATE, Label

__all__ = ["speak", "write_corpus", "write_sounds", "write_wav"]

# Pitch against the speaker's own (semitones), syllables per second, level of each octave up (dB).
_MANNERS = {Label.CALM: (0.0, 3.0, -12.0), Label.ANGRY: (6.0, 4.0, -5.0), Label.PANIC: (14.0, 6.5, -8.0)}


def speak(label: Label, *, pitch: float, rng: np.random.Generator, length: float = 1.2) -> NDArray[np.int16]:
    """Half a second of a quiet room, then syllables at about ``pitch`` (Hz) times the manner, then room."""
    shift, rate, tilt = _MANNERS[label]
    time = np.arange(round(length * RATE)) / RATE
    wobble = 0.6 * np.sin(2 * np.pi * rng.uniform(2, 4) * time) + rng.normal(0, 0.5)
    phase = 2 * np.pi * np.cumsum(pitch * 2 ** ((shift + wobble) / 12)) / RATE
    levels = [10 ** ((tilt + rng.normal(0, 1)) * np.log2(k) / 20) for k in range(1, 15)]
    tone = sum(level * np.sin(k * phase) for k, level in enumerate(levels, start=1))
    voice = tone * np.clip(np.sin(np.pi * rate * time), 0, None) ** 0.5 * rng.uniform(0.05, 0.1)
    wave_form = np.concatenate([np.zeros(RATE // 2), voice, np.zeros(RATE // 2)])
    noisy = wave_form + rng.normal(0, 3e-4, len(wave_form))
    return np.round(np.clip(noisy, -1, 0.99) * 32768).astype(np.int16)


def write_wav(path: Path, pcm: NDArray[np.int16]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    return path


def write_corpus(
    folder: Path, *, speakers: int = 8, clips: int = 3, corpora: tuple[str, ...] = ("one",)
) -> Path:
    """Write ``clips`` recordings of each label for each speaker and their manifest; return the folder."""
    rng = np.random.default_rng(7)
    rows = []
    for number in range(speakers):
        pitch = float(rng.uniform(95, 190))
        for label in LABELS:
            for take in range(clips):
                name = f"s{number}/{label}-{take}.wav"
                write_wav(folder / name, speak(label, pitch=pitch, rng=rng))
                corpus, gender = corpora[number % len(corpora)], "FM"[number % 2]
                rows.append((name, f"s{number}", label, corpus, gender))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "speaker", "label", "corpus", "gender"), *rows])
    return folder


def write_sounds(folder: Path, *, each: int = 5, corpora: tuple[str, ...] = ("sounds",)) -> Path:
    """Write natural talk of as many people, screams, laughs, rain and rooms, and their manifest."""
    rng = np.random.default_rng(11)
    rows = []
    for number in range(each):
        corpus = corpora[number % len(corpora)]
        made = {
            ("calm", "natural: talk"): speak(Label.CALM, pitch=rng.uniform(95, 190), rng=rng, length=2.0),
            ("sound", "screaming"): speak(Label.PANIC, pitch=rng.uniform(250, 350), rng=rng, length=1.5),
            ("sound", "laughing"): speak(Label.ANGRY, pitch=rng.uniform(200, 300), rng=rng),
            ("sound", "rain"): np.round(rng.normal(0, 800, 3 * RATE)).astype(np.int16),
            ("sound", "impulse response"): _impulse(rng),
        }
        for (label, kind), pcm in made.items():
            name = f"{kind.split()[-1]}-{number}.wav"
            write_wav(folder / name, pcm)
            speaker = f"n{number}" if label == "calm" else ""
            rows.append((name, speaker, label, kind, corpus))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "speaker", "label", "original_label", "corpus"), *rows])
    return folder


def _impulse(rng: np.random.Generator) -> NDArray[np.int16]:
    """A room whose echo loses 60 dB in 0.4 s."""
    tail = rng.standard_normal(RATE // 2) * 10 ** (-3.0 * np.arange(RATE // 2) / (0.4 * RATE))
    tail[0] = 6.0
    return np.round(tail / 8 * 32768).clip(-32768, 32767).astype(np.int16)
