"""What a second of speech costs the pipeline, by its parts, and what memory it takes.

    python tests/bench/replay.py [FILE…] [--beside COMMIT]     default: the demo's scene

One process on one core at a time. Speech is counted from the onset to the end of each utterance,
silence not at all; windows are scored on the way, as in the daemon. Beside another commit, both
trees do the same in turns, the best of some rounds counts, and a ratio tells more than the
milliseconds of a box that is busy with other things.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
SCENE = PROJECT / "deploy/demo/scene.flac"
AIM = 15.0
"""CPU per second of speech (ms/s)."""

JUDGE_AIM = 8.0
"""Of that for features and the first score (ms/s)."""

QUIET = 30.0
"""Of a room where nobody speaks (s)."""

LEAST = 100.0
"""Speech to measure on: shorter lists of files are played again (s)."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, default=[SCENE])
    parser.add_argument("--beside", metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(given.files)))
        return
    with ExitStack() as later:
        trees = {"this tree": PROJECT}
        if given.beside:
            trees[given.beside] = Path(later.enter_context(tempfile.TemporaryDirectory()))
            archive = subprocess.run(
                ["git", "-C", PROJECT, "archive", given.beside], check=True, capture_output=True
            )
            subprocess.run(["tar", "-x", "-C", trees[given.beside]], input=archive.stdout, check=True)
        rounds = [{name: run(tree, given.files) for name, tree in trees.items()} for _ in range(given.rounds)]
    best = {
        name: {part: min(one[name][part] for one in rounds) for part in rounds[0][name]} for name in trees
    }
    show(best)


def show(best: dict[str, dict[str, float]]) -> None:
    """One line for each part, one column for each tree."""
    ours, *others = best.values()
    print(f"{'':28}" + "".join(f"{name:>14}" for name in best) + ("         ratio" if others else ""))
    for part in ours:
        ratio = "".join(f"{ours[part] / max(other[part], 1e-9):14.2f}" for other in others)
        print(f"{part:28}" + "".join(f"{one[part]:14.2f}" for one in best.values()) + ratio)
    print(
        f"aims: first judge at most {JUDGE_AIM:g} ms, all at most {AIM:g} ms; load {os.getloadavg()[0]:.1f}"
    )


def run(tree: Path, files: list[Path]) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", *map(str, files)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tree)}
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(files: list[Path]) -> dict[str, float]:
    """CPU per second of speech (ms/s) by part, and memory (MB), of the package that is imported."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # Not before: a process that measures nothing needs no package.
    from vser_stream.adapters.models import onnx_svm  # noqa: PLC0415
    from vser_stream.config.schema import PipelineConfig, ReasonerConfig  # noqa: PLC0415
    from vser_stream.core import decide  # noqa: PLC0415
    from vser_stream.runtime.build import Engine  # noqa: PLC0415

    engine = Engine.load(PipelineConfig(reasoner=ReasonerConfig(backend="none")))
    parts: dict[str, float] = defaultdict(float)
    timed(decide.Decider, "measure", parts, "features")
    timed(onnx_svm.OnnxSvm, "score", parts, "score")
    with suppress(ImportError):  # an older tree
        from vser_stream.adapters.models.onnx_second_look import OnnxSecondLook  # noqa: PLC0415

        timed(OnnxSecondLook, "look", parts, "second look")
    utterances(files[0], engine)  # warm up
    parts.clear()
    parts["second look"] = 0.0  # a model may do without
    speech, cpu = 0.0, time.process_time()
    while speech < LEAST:
        for file in files:
            rows = utterances(file, engine)
            speech += sum(row["end_s"] - row["start_s"] for row in rows)
    cpu = time.process_time() - cpu
    parts["first judge: both"] = parts["features"] + parts["score"]
    parts["all, with decoding"] = cpu
    figures = {f"{part} (ms/s)": 1000 * spent / speech for part, spent in parts.items()}
    figures["a quiet room (ms/s)"] = 1000 * quiet_room(engine.pipeline(engine.config.alarm))
    return figures | {"memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def utterances(file: Path, engine: Any) -> list[dict[str, Any]]:
    """What a replay tells of the utterances in a recording."""
    from vser_stream.cli.replay import rows_of  # noqa: PLC0415
    from vser_stream.runtime.replay import Replay  # noqa: PLC0415

    async def all_rows() -> list[dict[str, Any]]:
        async with Replay(engine) as replay:
            return [row async for row in rows_of(file, replay, engine) if row["type"] == "utterance"]

    return asyncio.run(all_rows())


def quiet_room(pipeline: Any) -> float:
    """CPU per second in which nobody speaks (s/s)."""
    import numpy as np  # noqa: PLC0415 - the package has asked for one thread before

    from vser_stream.values import RATE, Block  # noqa: PLC0415

    noise = (60 * np.random.default_rng(1).standard_normal(int(QUIET * RATE))).astype(np.int16)
    starts = range(0, len(noise), RATE // 10)
    blocks = [Block(noise[at : at + RATE // 10].copy(), start=at, heard_at=at / RATE) for at in starts]
    cpu = time.process_time()
    for block in blocks:
        pipeline.feed(block)
    return (time.process_time() - cpu) / QUIET


def timed(owner: Any, name: str, parts: dict[str, float], part: str) -> None:
    """Note the CPU a function takes (s)."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def measuring(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            parts[part] += time.process_time() - began

    setattr(owner, name, measuring)


if __name__ == "__main__":
    main()
