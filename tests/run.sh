#!/usr/bin/env bash
# From a fresh Debian machine with python3 to tested: packages, environment, lint, types, tests.
#
#   tests/run.sh                      everything
#   tests/run.sh --quick              the pure part alone, in under a minute; no Debian packages, no types
#   tests/run.sh --again              the tests alone, where all of it has run before
#   tests/run.sh tests/core -k alarm  whatever else is given is handed to pytest
#
# Files of tests run side by side, WORKERS at a time (default: three for each core, as many tests wait).
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
source tests/parts.sh

side_by_side=(-n "${WORKERS:-$((3 * $(nproc)))}" --dist loadfile --no-loadscope-reorder)

if [[ ${1-} == --quick ]]; then
  shift
  make_venv dev
  ruff check .
  ruff format --check .
  exec python -m pytest -q "${side_by_side[@]}" tests/core tests/config tests/test_*.py "$@"
fi

if [[ ${1-} == --again ]]; then
  shift
  make_venv dev
  exec python -m pytest -q "${side_by_side[@]}" "$@"
fi

# A compiler for llama.cpp, systemd-analyze, and the real parts.
install_broker
apt_install build-essential systemd "${parts[@]}"
make_venv dev

ruff check .
ruff format --check .
mypy
exec python -m pytest "${side_by_side[@]}" "$@"
