"""How much speech the pipeline handles in a second of CPU, and what memory it takes.

    python tests/bench/replay.py [FILE…]     default: the demo's scene

One process, one core. Speech is counted from the onset to the end of each utterance, silence not
at all; windows are scored on the way, as in the daemon.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.rulebook import shelf_of
from vser_stream.cli.models import load_model
from vser_stream.cli.replay import rows_of
from vser_stream.config import shipped_model

SCENE = Path(__file__).parents[2] / "deploy/demo/scene.flac"
AIM = 40.0
"""Speech per CPU second (s/s)."""

LEAST = 200.0
"""Speech to measure on: shorter lists of files are played again (s)."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, default=[SCENE])
    files = parser.parse_args().files
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    model, pitch, writer = load_model(shipped_model()), SwiftF0Tracker(), shelf_of(None).writer()
    list(rows_of(files[0], model, pitch, writer=writer))  # warm up
    speech, began, cpu = 0.0, time.perf_counter(), time.process_time()
    while speech < LEAST:
        for file in files:
            rows = [row for row in rows_of(file, model, pitch, writer=writer) if row["type"] == "utterance"]
            speech += sum(row["end_s"] - row["start_s"] for row in rows)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{speech:.0f} s of speech, {cpu:.2f} s of CPU, {wall:.2f} s of wall time")
    print(f"{speech / cpu:.1f} s of speech per CPU second (aim: at least {AIM:g})")
    print(f"{1000 * cpu / speech:.1f} ms of CPU per second of speech")
    print(f"peak memory {peak:.0f} MB (aim: below 250)")


if __name__ == "__main__":
    main()
