"""CPU for features and score per second of speech, beside openSMILE eGeMAPSv02 and librosa.

    python tests/bench/features.py [FILE…]     default: the demo's scene and made voices

One process on one core, all on the same speech in turns, best of a few rounds. The yardsticks are
no dependencies of the project; where they are missing they are left out, and the line says how to
install them (into an environment of their own: openSMILE's licence is for research).
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import argparse  # noqa: E402 - one thread must be asked for before numpy is there
import importlib  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.audio import voice  # noqa: E402 - found by the line above

from vser_stream.adapters.audio.recording import Recording  # noqa: E402
from vser_stream.adapters.audio.vad import WebRtcVad  # noqa: E402
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker  # noqa: E402
from vser_stream.config.locations import shipped_model  # noqa: E402
from vser_stream.core.audio.framing import Framer  # noqa: E402
from vser_stream.core.audio.segment import Segmenter  # noqa: E402
from vser_stream.core.features.extract import Extractor  # noqa: E402
from vser_stream.core.scoring.baseline import Baseline, model_input  # noqa: E402
from vser_stream.runtime.build import load_model  # noqa: E402
from vser_stream.values import RATE, Block, Pcm, Segment, SegmentKind  # noqa: E402

SCENE = Path(__file__).parents[2] / "deploy/demo/scene.flac"
AIM = 8.0
"""CPU per second of speech (ms/s)."""

PITCH_RANGE = (60.0, 600.0)
"""Searched by librosa (Hz)."""

Measure = Callable[[Segment], object]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    recordings = [_pcm(file) for file in arguments.files] or [_pcm(SCENE), *_made()]
    utterances = [one for pcm in recordings for one in _utterances(pcm)]
    seconds = sum((one.end - one.onset) / RATE for one in utterances)
    print(f"{len(utterances)} utterances, {seconds:.1f} s of speech; load {os.getloadavg()[0]:.1f}")
    subjects = {"vser-stream": _ours(), "of that features": _our_features(), **_yardsticks()}
    best = dict.fromkeys(subjects, float("inf"))
    for measure in subjects.values():
        measure(utterances[0])  # warm up
    for _ in range(arguments.rounds):
        for subject, measure in subjects.items():
            best[subject] = min(best[subject], _cpu(measure, utterances))
    ours = best["vser-stream"]
    for subject, cpu in best.items():
        print(f"{subject:<32}{1000 * cpu / seconds:8.1f} ms of CPU per s of speech{cpu / ours:8.2f} x ours")
    print(f"aim: at most {AIM:g} ms")


def _pcm(file: Path) -> Pcm:
    return np.concatenate([block.pcm for block in Recording(file).blocks(lambda: False)])


def _made() -> list[Pcm]:
    """Voices of 3 s with a pause before and after."""
    pause = np.zeros(RATE // 2, np.int16)
    return [np.concatenate([pause, voice(3.0, seed=seed), pause]) for seed in range(8)]


def _utterances(pcm: Pcm) -> list[Segment]:
    detector, segmenter = WebRtcVad(), Segmenter()
    found = [
        segment
        for frame in Framer().feed(Block(pcm.copy(), start=0, heard_at=0.0))
        for segment in segmenter.feed(frame, is_speech=detector.is_speech(frame.pcm))
    ]
    return [one for one in found + segmenter.flush() if one.kind is SegmentKind.UTTERANCE]


def _cpu(measure: Measure, utterances: list[Segment]) -> float:
    began = time.process_time()
    for one in utterances:
        measure(one)
    return time.process_time() - began


def _our_features() -> Measure:
    return Extractor(SwiftF0Tracker()).extract


def _ours() -> Measure:
    model, extract = load_model(shipped_model()), _our_features()
    baseline = Baseline.from_prior(model.prior)
    return lambda one: model.score(model_input(np.asarray(extract(one)), baseline)[np.newaxis])


def _yardsticks() -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for package, make in (("opensmile", _opensmile), ("librosa", _librosa)):
        try:
            found |= make(importlib.import_module(package))
        except ModuleNotFoundError as exc:
            print(f"{package} is left out ({exc.name} is missing); install it with: pip install {package}")
    return found


def _opensmile(opensmile: Any) -> dict[str, Measure]:
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    return {"openSMILE eGeMAPSv02": lambda one: smile.process_signal(_speech(one), RATE)}


def _librosa(librosa: Any) -> dict[str, Measure]:
    low, high = PITCH_RANGE

    def mfcc(speech: Any) -> object:
        return librosa.feature.mfcc(y=speech, sr=RATE, n_mfcc=13, n_fft=512, hop_length=256)

    def yin(one: Segment) -> object:
        speech = _speech(one)
        return mfcc(speech), librosa.yin(speech, fmin=low, fmax=high, sr=RATE, hop_length=256)

    def pyin(one: Segment) -> object:
        speech = _speech(one)
        return mfcc(speech), librosa.pyin(speech, fmin=low, fmax=high, sr=RATE, hop_length=256)

    return {"librosa MFCC and yin, no more": yin, "librosa MFCC and pyin, no more": pyin}


def _speech(one: Segment) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(one.pcm[one.onset - one.start : one.end - one.start] / 32768, np.float32)


if __name__ == "__main__":
    main()
