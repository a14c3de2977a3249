"""An agent to whom every voice is panic, and recordings with as many voices as wanted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from support.audio import voice, write
from support.panic_model import panic_model

from vser_stream.values import RATE, Pcm

__all__ = ["QUIET", "agent_configuration", "panics"]

SPEECH = 1.3
"""Long enough to be judged while it lasts (s)."""

PAUSE = 1.5
"""Long enough to end an utterance, and then the alarm (s)."""

HOLD = 1.0
"""An alarm lasts from the first look at a voice over its end to that much later (s)."""

QUIET = 30.0
"""Silence after the last panic, so that the recording outlasts the test (s)."""


def panics(path: Path, count: int, *, after: float = 0.5, quiet: float = QUIET) -> Path:
    """Write a recording with ``count`` voices, the first of them ``after`` so many seconds."""
    parts = [_silence(after)]
    for seed in range(count):
        parts += [voice(SPEECH, seed=seed % 7), _silence(PAUSE)]
    parts.append(_silence(quiet))
    room = np.random.default_rng(0).normal(scale=20.0, size=sum(map(len, parts)))
    return write(path, np.concatenate(parts) + room.astype(np.int16))


def agent_configuration(folder: Path, port: int, files: Iterable[Path], *, more: str = "") -> Path:
    """Write the configuration of an agent, with its state beside it; each file is a source by its name."""
    model = folder / "model"
    if not model.exists():
        panic_model(model)
    path = folder / "vser.toml"
    sources = "".join(f'[[sources]]\nname = "{file.stem}"\nfile = "{file}"\n' for file in files)
    path.write_text(
        f'site = "test"\nstate_dir = "state"\nmodel = "model"\n'
        f"[alarm.panic]\nfast = 0.9\nhold = {HOLD}\nlatching = false\n"
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{more}\n{sources}'
    )
    return path


def _silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)
