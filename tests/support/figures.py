"""Whether two replays of one recording say the same: ``python figures.py ONE.jsonl OTHER.jsonl``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 0.008
"""Of probabilities: another processor or library rounds an 8-bit number of the second look to its neighbour
now and then (up to 0.0071 between onnxruntime 1.23 and 1.32, in the scenes of tests/cli/golden)."""


def differences(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> tuple[list[str], float]:
    """What differs in words, and the largest difference of a probability."""
    if len(one) != len(other):
        return [f"{len(one)} utterances and alerts, {len(other)} there"], 1.0
    wrong, largest = [], 0.0
    for number, (here, there) in enumerate(zip(one, other, strict=True), start=1):
        wrong += [
            f"line {number}, {key}: {here.get(key)}, {there.get(key)} there"
            for key in ("type", "event", "label", "priority", "rules")
            if here.get(key) != there.get(key)
        ]
        mine, theirs = here.get("probabilities") or {}, there.get("probabilities") or {}
        largest = max([largest, *(abs(mine[label] - theirs[label]) for label in mine)])
    return wrong, largest


if __name__ == "__main__":
    told = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in sys.argv[1:]]
    wrong, largest = differences(*told)
    print(*wrong, f"{len(told[0])} utterances and alerts, probabilities differ by {largest:.4f}", sep="\n")  # noqa: T201
    sys.exit(bool(wrong) or not told[0] or largest > TOLERANCE)
