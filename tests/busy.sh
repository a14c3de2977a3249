#!/usr/bin/env bash
# Runs the tests three times in a row beside eight processes that never rest: no test may lean on a quiet box.
# RUNS and BUSY change the numbers; arguments are handed to pytest. Ends at the first run that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "${BUSY:-8}"); do
  python3 -c 'while True: pass' &
  busy+=($!)
done

for run in $(seq "${RUNS:-3}"); do
  echo "busy run $run of ${RUNS:-3}, beside ${BUSY:-8} busy processes on $(nproc) cores"
  time tests/run.sh "$@"
done
