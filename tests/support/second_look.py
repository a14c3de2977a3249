"""A second look that is small and of one opinion, and a model folder that has one."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
from support.turn_model import WIDTH, whole_model
from tomli_w import dumps

from vser_stream.adapters.models.manifest import SUMS
from vser_stream.adapters.models.onnx_second_look import FILE, NOTICE, SECTION
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.core.scoring.second_look import Fusion
from vser_stream.training.classifier.second_look_graph import SecondLookMade, cut, with_head
from vser_stream.training.classifier.second_look_head import Head
from vser_stream.values import ANSWERS

__all__ = ["add_second_look", "second_look"]

FUSION = Fusion(0.75, 0.5, bias=(0.1, 0.2, 0.3, 0.4, 0.0))


@cache
def second_look(*, answer: str | None = None, fusion: Fusion = FUSION) -> SecondLookMade:
    """Return one that says the same of every sound, or something else of each."""
    values, inputs = len(MODEL_INPUT) + 2 * WIDTH, len(MODEL_INPUT)
    weights = np.random.default_rng(1).normal(0, 0.3, (values, len(ANSWERS))).astype(np.float32)
    bias = np.zeros(len(ANSWERS), np.float32)
    if answer is not None:
        weights[:], bias[ANSWERS.index(answer)] = 0.0, 5.0
    head = Head(np.zeros(values, np.float32), np.ones(values, np.float32), (((weights, bias),),))
    return SecondLookMade(with_head(cut(whole_model()), head, inputs=inputs), fusion, unless_calm=0.9)


def add_second_look(folder: Path, look: SecondLookMade) -> Path:
    """Put it into the folder of a model, whose manifest then vouches for it; return the folder."""
    (folder / FILE).write_bytes(look.graph)
    (folder / NOTICE).write_text("by others")
    document = tomllib.loads((folder / "manifest.toml").read_text())
    for name in (FILE, NOTICE):
        document["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.toml").write_text(dumps(document | {SECTION: look.section}))
    (folder / SUMS).unlink(missing_ok=True)
    return folder
