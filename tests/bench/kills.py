"""Kill an agent at random moments while alarms come; print what was lost, and what came twice.

    PYTHONPATH=tests python tests/bench/kills.py [--times 100] [--seed 1]

Real Mosquitto, real kill -9. Ends with code 1 if an alert that was on the disk is missing, a sequence
number was skipped or used twice, or a database was damaged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from support.kills import kill


def main() -> None:
    """Kill, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        killed = kill(Path(folder), times=arguments.times, seed=arguments.seed)
    print(f"killed {arguments.times} times")
    print(f"alert documents received: {len(killed.arrived)}, of them again: {killed.copies}")
    print(f"on the disk after a kill: {len(killed.kept)}, never received: {len(killed.missing)}")
    print(f"sequence numbers skipped or used twice: {killed.gaps}")
    print(f"damaged databases: {len(killed.damaged)}")
    sys.exit(bool(killed.missing or any(killed.gaps.values()) or killed.damaged))


if __name__ == "__main__":
    main()
