#!/usr/bin/env bash
# Renews deploy/locks/: for each extra everything it installs, by version and hash, whatever the processor,
# for Python 3.11 and later. Needs the network and python3; what is bounded is in pyproject.toml.
#
#   deploy/lock.sh            after a change of pyproject.toml: only what must change
#   deploy/lock.sh --upgrade  the newest versions that are allowed
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install -q --disable-pip-version-check uv

# torch comes from another index where it shall be for the CPU, so no one hash fits: pip adds it afterwards.
echo "torch ; sys_platform == 'never'" >"$tools/overrides"

mkdir -p deploy/locks
for extra in dev base demo llm mic test; do # dev has them all: the others agree with it
  options=(--output-file "deploy/locks/$extra.txt" "$@")
  if [[ $extra != base ]]; then options+=(--extra "$extra"); fi
  # llama.cpp compiles for ten minutes; where it is to be hashed, pip does not take it from its cache.
  if [[ $extra == dev ]]; then options+=(--no-emit-package llama-cpp-python); else options+=(--constraints deploy/locks/dev.txt); fi
  "$tools/bin/uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
    --custom-compile-command deploy/lock.sh --overrides "$tools/overrides" --no-emit-package torch \
    "${options[@]}" pyproject.toml
done
grep -o '^llama-cpp-python==[^ ]*' deploy/locks/llm.txt >deploy/locks/compiled.txt
