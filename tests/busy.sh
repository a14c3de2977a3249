#!/usr/bin/env bash
# Runs the tests three times in a row beside eight processes that never rest: no test may lean on a quiet box.
# Needs one run of tests/run.sh before. RUNS, BUSY and WORKERS change the numbers; arguments are handed to
# pytest. Ends at the first run that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-3} busy=${BUSY:-8}

never_resting=()
trap 'kill "${never_resting[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "$busy"); do
  python3 -c 'while True: pass' &
  never_resting+=($!)
done

for run in $(seq "$runs"); do
  echo "run $run of $runs, beside $busy busy processes on $(nproc) cores"
  time tests/run.sh --again "$@"
done
