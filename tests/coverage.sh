#!/usr/bin/env bash
# How many lines of each module the tests run, the least covered first. Slower than the tests by themselves.
#
#   tests/coverage.sh              of all tests but the one that watches which files are written
#   tests/coverage.sh tests/core   of some
#   tests/coverage.sh --again      what the last run found; "coverage annotate" shows the lines
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
make_venv dev

if [[ ${1-} != --again ]]; then
  rm -rf .cache/coverage
  mkdir -p .cache/coverage
  coverage run -m pytest -q -n "${WORKERS:-$((3 * $(nproc)))}" --dist loadfile --no-loadscope-reorder \
    --ignore tests/cli/test_egress.py "$@" || echo "not all of them passed"
  coverage combine -q
fi
coverage report
