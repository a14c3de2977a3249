"""The second look that is shipped: the encoder it is said to be, in the memory it is said to take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.adapters.models.onnx_second_look import FILE, NOTICE, golden_rows, golden_sound
from vser_stream.config.locations import shipped_model
from vser_stream.core.features.log_mel import log_mel
from vser_stream.values import RATE

SOUND = np.resize(golden_sound(), 8 * RATE)
THEIRS = Path(__file__).with_name("second_look_statistics.npz")
"""Mean and deviation, over all frames, of what comes out of the second block of the whole graph of smart-turn
v3.2 for 8 s of the sound, by pipecat-ai 1.14.0's own spectrogram: each eighth value."""

MEMORY = 40.0
"""A second look takes no more (MB)."""

_MEASURE = """
import json, sys
import numpy as np
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.runtime.build import load_model
from vser_stream.config.locations import shipped_model
from vser_stream.core.scoring.baseline import MODEL_INPUT

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024

model = load_model(shipped_model(), second_look=sys.argv[1] == "with")
rows = np.zeros((2, len(MODEL_INPUT)), np.float32)
for seconds in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 0.5, 4.0):
    pcm = np.random.default_rng(0).normal(0, 3000, round(16000 * seconds)).astype(np.int16)
    model.score(rows)
    answered = model.look and model.look.judge.look(pcm, rows)
print(json.dumps({"mb": resident(), "answered": answered is not None}))
"""


def test_it_is_the_encoder_it_is_said_to_be() -> None:
    model = onnx.load(shipped_model() / FILE)
    model.graph.output.append(onnx.helper.make_tensor_value_info("statistics", onnx.TensorProto.FLOAT, None))
    session = open_graph(model.SerializeToString(), name=FILE)
    given = {"log_mel": log_mel(SOUND)[np.newaxis], "X": golden_rows(session)}
    (found,) = session.run(["statistics"], given)
    with np.load(THEIRS) as theirs:
        expected = theirs["statistics"]
    assert np.std(expected) > 0.1
    assert found[0][::8] == pytest.approx(expected, abs=0.02)


def test_its_origins_are_told_beside_it() -> None:
    told = (shipped_model() / NOTICE).read_text()
    for words in ("MIT License", "Copyright (c) 2022 OpenAI", "BSD 2-Clause License", "Daily"):
        assert words in told


def measured(how: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _MEASURE, how], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_it_takes_no_more_memory_than_is_told() -> None:
    without, looking = measured("without"), measured("with")
    assert (without["answered"], looking["answered"]) == (False, True)
    assert looking["mb"] - without["mb"] < MEMORY
