"""Take the broker away for a minute while five people panic, and kill the agent in between.

    PYTHONPATH=tests python tests/bench/outage.py [--seconds 60]

Real Mosquitto as deploy/mosquitto sets it up, real kill -9. Ends with code 1 unless all five arrive, once
each, with their original times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from support.outage import five_panics


def main() -> None:
    """Let it happen, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    with tempfile.TemporaryDirectory() as folder:
        one = five_panics(Path(folder), outage=parser.parse_args().seconds)
    print(f"broker away for {one.outage:.1f} s, agent killed with {len(one.before_kill)} panics on its disk")
    print(f"arrived: {len(one.day)} of {len(one.kept)}; for who was off line all the time: {len(one.night)}")
    for alert in one.day.values():
        print(f"  {alert['source']}: heard {alert['heard_at']}, alert {alert['alert_id'][:8]}")
    print(f"documents that came twice: {len(one.ids) - len(set(one.ids))}")
    sys.exit(not one.day == one.kept == one.night)


if __name__ == "__main__":
    main()
